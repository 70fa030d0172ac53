"""Reading in several processes at a time."""

import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from app.bulk.job import BulkError, Chunk, Job
from app.shared.memory import collect_nothing_yet, give_back_large_buffers, keep_what_there_is

WINDOW = 4
"""How many chunks a process are begun at most before the first of them is taken: enough for a slow one to be passed."""


def read_in_processes(job: Job, chunks: Iterator[Sequence[str]], workers: int) -> Generator[Chunk, None, None]:
    """Read chunks of paths in so many processes; the results come in the order of the chunks.

    Chunks are asked for only as they can be read, so that memory does not grow with their number. The processes
    end with this generator, and by themselves if this process is killed.

    Raises:
        BulkError: the model or the constraints cannot be used, or a process ended.
    """
    processes: list[BaseProcess] = []
    connections: list[Connection] = []
    try:
        with _interrupts_ignored():
            for _ in range(workers):
                process, connection = _start(job)
                processes.append(process)
                connections.append(connection)
        yield from read_in_order(connections, chunks)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def read_in_order(connections: Sequence[Connection], chunks: Iterator[Sequence[str]]) -> Iterator[Chunk]:
    """Hand chunks to the processes behind connections, one at a time to each that is ready.

    Returns:
        What comes of the chunks, in their order.

    Raises:
        BulkError: what a process sent instead of a result, or that it ended.
    """
    at_work: dict[Any, tuple[int, Sequence[str]]] = dict.fromkeys(connections, (-1, ()))  # no chunk: it starts
    idle: list[Connection] = []
    results: dict[int, Chunk] = {}
    begun = taken = 0
    while True:
        while idle and begun < taken + WINDOW * len(connections) and (chunk := next(chunks, None)):
            connection: Any = idle.pop()
            at_work[connection] = (begun, chunk)
            with suppress(ConnectionError):  # that it ended is seen when it should answer
                connection.send(chunk)
            begun += 1
        if taken in results:
            yield results.pop(taken)
            taken += 1
        elif idle and taken == begun:
            return
        else:
            for connection in wait(list(at_work)):
                number, chunk = at_work.pop(connection)
                answer = _receive(connection, chunk)
                if chunk:
                    results[number] = answer
                idle.append(connection)


def _receive(connection: Any, chunk: Sequence[str]) -> Any:
    try:
        answer = connection.recv()
    except (EOFError, OSError) as error:  # OSError where it ended amid its answer
        where = f"while it read {chunk[0]} to {chunk[-1]}" if chunk else "as it started"
        raise BulkError(f"A process ended {where}, killed perhaps for want of memory: try fewer --workers.") from error
    if isinstance(answer, BulkError):
        raise answer
    return answer


def _start(job: Job) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, job), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of what it sends
    return process, ours


def _work(connection: Connection, job: Job) -> None:
    """What each process does: say that it is ready, then read what it is sent until there is nobody to send it."""
    collect_nothing_yet()
    from app.bulk.reader import open_reader

    give_back_large_buffers()
    with suppress(ConnectionError):
        try:
            read = open_reader(job)
        except BulkError as error:
            connection.send(error)
            return
        connection.send(None)
        keep_what_there_is()
        for chunk in _chunks(connection):
            connection.send(read(chunk))


def _chunks(connection: Connection) -> Iterator[Sequence[str]]:
    """Yield what is sent, until the sender ends, be it amid a message."""
    with suppress(EOFError, OSError):
        while True:
            yield connection.recv()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C, which reaches them too: the one that reads them ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
