"""Reading in several processes."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice

from app.bulk.job import BulkError, Chunk, Job
from app.shared.memory import disable_garbage_collection, freeze_objects, release_large_buffers
from app.shared.processes import end_with_parent, interrupts_blocked

WINDOW = 4
"""Maximum chunks in flight per process; enough for others to overtake a slow one."""


def read_in_processes(job: Job, chunks: Iterator[Sequence[str]], workers: int) -> Generator[Chunk, None, None]:
    """Read chunks of paths in several processes; yield the results in the order of the chunks.

    Chunks are taken only as they can be read, so memory does not grow with their number. The processes end with
    this generator, or when this process is killed. Raise like `app.bulk.run.read_all`.
    """
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent)
    pending: deque[tuple[Sequence[str], Future[Chunk]]] = deque()
    try:
        while True:
            with interrupts_blocked():
                for chunk in islice(chunks, WINDOW * workers - len(pending)):
                    pending.append((chunk, pool.submit(_read, job, chunk)))
            if not pending:
                return
            chunk, future = pending.popleft()
            try:
                result = future.result()
            except BrokenProcessPool as error:
                where = f"while it read {chunk[0]} or an image after it"
                raise BulkError(f"A process ended {where}, perhaps out of memory: try fewer --workers.") from error
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _read(job: Job, chunk: Sequence[str]) -> Chunk:
    return _reader(job)(chunk)


@cache
def _reader(job: Job) -> Callable[[Sequence[str]], Chunk]:
    """Load the job's model in a worker process."""
    disable_garbage_collection()
    from app.bulk.reader import open_reader

    release_large_buffers()
    read = open_reader(job)
    freeze_objects()
    return read
