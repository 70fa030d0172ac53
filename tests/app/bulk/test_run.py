"""The number of processes started."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from app.bulk.job import CHUNK, Chunk, Job
from app.bulk.run import IN_PROCESS_IMAGES, read_all


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of processes requested, without starting any."""
    counts: list[int] = []

    def stand_in(_: Job, chunks: Iterator[Sequence[str]], workers: int) -> Iterator[Chunk]:
        counts.append(workers)
        for chunk in chunks:
            yield Chunk(b"", len(chunk), [])

    monkeypatch.setattr("app.bulk.processes.read_in_processes", stand_in)
    return counts


@pytest.mark.parametrize(
    ("images", "workers", "processes"),
    [
        (0, 8, []),
        (1, 8, []),
        (IN_PROCESS_IMAGES, 8, []),
        (IN_PROCESS_IMAGES + 1, 8, [3]),
        (IN_PROCESS_IMAGES + 1, 1, []),
        (CHUNK * 7, 8, [7]),
        (CHUNK * 7 + 1, 8, [8]),
        (10_000, 8, [8]),
        (10_000, 2, [2]),
    ],
)
def test_processes_are_started_for_many_images_and_no_more_than_chunks(
    job: Callable[..., Job], tmp_path: Path, started: list[int], images: int, workers: int, processes: list[int]
) -> None:
    chunks = [chunk.images for chunk in read_all(job(), iter([str(tmp_path / "gone.png")] * images), workers)]
    assert started == processes
    assert sum(chunks) == images
    assert all(size == CHUNK for size in chunks[:-1])
