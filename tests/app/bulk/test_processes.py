"""Reading in processes: order, bounded read-ahead, and clean termination."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from app.bulk.job import BulkError, Job
from app.bulk.processes import WINDOW, read_in_processes


@pytest.fixture
def chunk(repository: Path) -> list[str]:
    """Return the paths of the samples."""
    return sorted(map(str, (repository / "samples").glob("*.png")))


def test_results_are_in_order_and_chunks_are_taken_only_as_needed(job: Callable[..., Job], chunk: list[str]) -> None:
    asked_for = 0

    def chunks() -> Iterator[list[str]]:
        nonlocal asked_for
        for number in range(40):
            asked_for += 1
            yield chunk[number % 4 :][:1] if number % 4 else chunk * 8  # the first of four takes longer than the others

    for number, result in enumerate(read_in_processes(job(layout="tabs"), chunks(), 2)):
        assert asked_for <= number + 2 * WINDOW
        lines = result.rows.decode().splitlines()
        assert len(lines) == (32 if number % 4 == 0 else 1)
        assert lines[0].split("\t")[0] == chunk[number % 4]
    assert active_children() == []


def test_processes_read_and_end_with_the_last_chunk(job: Callable[..., Job], chunk: list[str]) -> None:
    results = list(read_in_processes(job(layout="tabs"), iter([chunk, chunk[:1]]), 2))
    texts = [[line.split("\t")[1] for line in result.rows.decode().splitlines()] for result in results]
    assert texts == [["4gm8x", "7ydp3", "b5wn6", "ef2ec"], ["4gm8x"]]
    assert active_children() == []


def test_processes_end_with_the_generator(job: Callable[..., Job], chunk: list[str]) -> None:
    results = read_in_processes(job(), (chunk for _ in range(1_000_000)), 2)
    next(results)
    assert active_children()
    results.close()
    assert active_children() == []


def test_an_interrupt_is_not_lost_while_chunks_are_taken(
    job: Callable[..., Job], chunk: list[str], interrupt: Callable[[], None]
) -> None:
    def chunks() -> Iterator[list[str]]:
        yield chunk
        interrupt()
        yield chunk

    with pytest.raises(KeyboardInterrupt):
        list(read_in_processes(job(), chunks(), 1))
    assert active_children() == []


def test_a_killed_process_is_reported(job: Callable[..., Job], chunk: list[str]) -> None:
    results = read_in_processes(job(), (chunk for _ in range(1_000_000)), 1)
    next(results)
    (process,) = active_children()
    os.kill(process.pid or 0, signal.SIGKILL)
    with pytest.raises(
        BulkError, match=r"A process ended while it read .*4gm8x.png or an image after it, .* try fewer --workers"
    ):
        list(results)
    assert active_children() == []


def test_errors_of_the_model_are_reported_by_the_processes(
    job: Callable[..., Job], chunk: list[str], tmp_path: Path
) -> None:
    with pytest.raises(BulkError, match=r"configs\.yaml"):
        next(read_in_processes(replace(job(), model=tmp_path), iter([chunk]), 1))
