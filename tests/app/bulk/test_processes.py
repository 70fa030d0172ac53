"""Handing out chunks, in order and never too many; threads stand for the processes where only that is looked at."""

import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import Pipe, active_children
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from app.bulk.job import BulkError, Chunk, Job
from app.bulk.processes import WINDOW, read_in_order, read_in_processes
from tests.waiting import GENEROUS_SECONDS

Answer = Callable[[Sequence[str]], object]


def threads(count: int, answer: Answer) -> list[Connection]:
    """Connections to threads that say that they are ready and then answer each chunk."""

    def work(connection: Connection) -> None:
        with suppress(EOFError, OSError), connection:
            connection.send(None)
            while (reply := answer(connection.recv())) is not None:
                connection.send(reply)

    ends = [Pipe() for _ in range(count)]
    for _, theirs in ends:
        threading.Thread(target=work, args=(theirs,), daemon=True).start()
    return [ours for ours, _ in ends]


def as_rows(chunk: Sequence[str]) -> Chunk:
    return Chunk("".join(chunk).encode(), len(chunk), [])


class Chunks:
    """So many chunks, of which it knows how many have been asked for."""

    def __init__(self, count: int) -> None:
        self.count, self.asked_for = count, 0

    def __iter__(self) -> Iterator[list[str]]:
        for number in range(self.count):
            self.asked_for += 1
            yield [str(number)]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 60])
def test_results_come_in_the_order_of_the_chunks(workers: int, count: int) -> None:
    def slow_at_times(chunk: Sequence[str]) -> Chunk:
        time.sleep(0.005 * (int(chunk[0]) % 4 == 0))
        return as_rows(chunk)

    results = read_in_order(threads(workers, slow_at_times), iter(Chunks(count)))
    assert [int(chunk.rows) for chunk in results] == list(range(count))


def test_chunks_are_asked_for_only_as_they_can_be_read() -> None:
    chunks = Chunks(1000)
    for taken, _ in enumerate(read_in_order(threads(3, as_rows), iter(chunks)), start=1):
        assert chunks.asked_for <= taken + 3 * WINDOW
        if taken == 50:
            time.sleep(0.1)  # whoever takes the results is slow: nothing is read meanwhile
            assert chunks.asked_for <= taken + 3 * WINDOW
    assert chunks.asked_for == 1000


def test_a_slow_chunk_holds_up_only_so_many() -> None:
    chunks, ready = Chunks(1000), threading.Event()

    def first_is_slow(chunk: Sequence[str]) -> Chunk:
        if chunk == ["0"]:
            ready.wait(GENEROUS_SECONDS)
        if chunk == [str(2 * WINDOW - 1)]:
            ready.set()
        return as_rows(chunk)

    results = read_in_order(threads(2, first_is_slow), iter(chunks))
    assert next(results).rows == b"0"
    assert chunks.asked_for == 2 * WINDOW


def test_a_process_that_ends_amid_its_answer_is_an_error() -> None:
    ours, theirs = Pipe()
    with theirs:
        theirs.send(None)
        os.write(theirs.fileno(), struct.pack("!i", 1000) + b"of which there are few")  # the length comes first
    with pytest.raises(BulkError, match="A process ended while it read 0 to 0"):
        list(read_in_order([ours], iter(Chunks(1))))


def test_a_process_that_ends_is_an_error_and_not_waited_for() -> None:
    results = read_in_order(threads(2, lambda chunk: None if chunk == ["7"] else as_rows(chunk)), iter(Chunks(100)))
    with pytest.raises(BulkError, match="A process ended while it read 7 to 7"):
        list(results)


@pytest.fixture
def chunk(repository: Path) -> list[str]:
    """The paths of the samples."""
    return sorted(map(str, (repository / "samples").glob("*.png")))


def test_processes_read_and_end_with_the_last_chunk(job: Callable[..., Job], chunk: list[str]) -> None:
    results = list(read_in_processes(job(layout="tabs"), iter([chunk, chunk[:1]]), 2))
    texts = [[line.split("\t")[1] for line in result.rows.decode().splitlines()] for result in results]
    assert texts == [["4gm8x", "7ydp3", "b5wn6", "ef2ec"], ["4gm8x"]]
    assert active_children() == []


def test_processes_end_when_nobody_takes_the_rest(job: Callable[..., Job], chunk: list[str]) -> None:
    results = read_in_processes(job(), (chunk for _ in range(1_000_000)), 2)
    next(results)
    assert len(active_children()) == 2
    results.close()
    assert active_children() == []


def test_a_process_that_is_killed_is_told(job: Callable[..., Job], chunk: list[str]) -> None:
    results = read_in_processes(job(), (chunk for _ in range(1_000_000)), 1)
    next(results)
    (process,) = active_children()
    os.kill(process.pid or 0, signal.SIGKILL)
    with pytest.raises(
        BulkError, match=r"A process ended while it read .*4gm8x.png to .*ef2ec.png, .* try fewer --workers"
    ):
        list(results)


def test_what_is_wrong_with_the_model_comes_from_the_processes(
    job: Callable[..., Job], chunk: list[str], tmp_path: Path
) -> None:
    with pytest.raises(BulkError, match=r"configs\.yaml"):
        next(read_in_processes(replace(job(), model=tmp_path), iter([chunk]), 1))
