"""Reading in several processes at a time."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from itertools import islice

from app.bulk.job import BulkError, Chunk, Job
from app.shared.memory import collect_nothing_yet, give_back_large_buffers, keep_what_there_is
from app.shared.processes import end_with_parent

WINDOW = 4
"""How many chunks a process are begun at most before the first of them is taken: enough for a slow one to be passed."""


def read_in_processes(job: Job, chunks: Iterator[Sequence[str]], workers: int) -> Generator[Chunk, None, None]:
    """Read chunks of paths in so many processes; the results come in the order of the chunks.

    Chunks are asked for only as they can be read, so that memory does not grow with their number. The processes
    end with this generator, and by themselves if this process is killed.

    Raises:
        BulkError: the model or the constraints cannot be used, or a process ended.
    """
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent)
    begun: deque[tuple[Sequence[str], Future[Chunk]]] = deque()
    try:
        while True:
            with _interrupts_ignored():
                for chunk in islice(chunks, WINDOW * workers - len(begun)):
                    begun.append((chunk, pool.submit(_read, job, chunk)))
            if not begun:
                return
            chunk, future = begun.popleft()
            try:
                result = future.result()
            except BrokenProcessPool as error:
                where = f"as {chunk[0]} or an image after it was read"
                raise BulkError(
                    f"A process ended {where}, killed perhaps for want of memory: try fewer --workers."
                ) from error
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _read(job: Job, chunk: Sequence[str]) -> Chunk:
    return _reader(job)(chunk)


@cache
def _reader(job: Job) -> Callable[[Sequence[str]], Chunk]:
    """Load the job's model in a process that reads."""
    collect_nothing_yet()
    from app.bulk.reader import open_reader

    give_back_large_buffers()
    read = open_reader(job)
    keep_what_there_is()
    return read


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C, which reaches them too: the one that reads them ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
