"""Shared counts of several workers, even of killed ones."""

import gc
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from app.observability import counts
from app.observability.counts import Counter, Counts, Gauge, Histogram, shared_folder, sharing

SEEN, NOW, SECONDS = ("seen", "a"), ("now",), ("seconds",)


def work(folder: Path, connection: Connection) -> None:
    """Run a worker that counts this many times."""
    shared = Counts(folder)
    seen, now = Counter(shared, SEEN), Gauge(shared, NOW)
    connection.send(shared.worker)
    while True:
        times = connection.recv()
        seen.add(times)
        now.set(times)
        connection.send(None)


@pytest.fixture
def start_worker(tmp_path: Path) -> Callable[[], tuple[BaseProcess, Connection, int]]:
    """Start a process that counts in a folder; return it and its number."""
    context = multiprocessing.get_context("spawn")

    def start() -> tuple[BaseProcess, Connection, int]:
        ours, its = context.Pipe()
        process = context.Process(target=work, args=(tmp_path, its), daemon=True)
        process.start()
        return process, ours, ours.recv()

    return start


def count(connection: Connection, times: int) -> None:
    connection.send(times)
    connection.recv()


def kill(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def numbers(shared: Counts, series: tuple[str, ...]) -> list[tuple[bool, list[float]]]:
    return [(worker.alive, list(worker.numbers[series])) for worker in shared.workers() if series in worker.numbers]


@pytest.fixture(params=["alone", "shared"])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Counts:
    """Counts of one worker, with a folder and without."""
    return Counts(tmp_path if request.param == "shared" else None)


class TestOneWorker:
    def test_counts(self, one: Counts) -> None:
        counter = Counter(one, SEEN)
        counter.add()
        counter.add(3)
        assert numbers(one, SEEN) == [(True, [4])]

    def test_counts_the_same_series_in_one_place(self, one: Counts) -> None:
        Counter(one, SEEN).add()
        Counter(one, SEEN).add()
        assert numbers(one, SEEN) == [(True, [2])]

    def test_has_gauges(self, one: Counts) -> None:
        Gauge(one, NOW).set(5)
        assert numbers(one, NOW) == [(True, [5])]

    def test_histogram_buckets_include_their_upper_bound(self, one: Counts) -> None:
        histogram = Histogram(one, SECONDS, (0.1, 1))
        for value in (0.05, 0.1, 0.5, 2):
            histogram.observe(value)
        histogram.observe(3, times=2)
        assert numbers(one, SECONDS) == [(True, [2, 1, 3, pytest.approx(8.65)])]

    def test_continues_without_space_for_another_series(self, one: Counts, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counts, "NUMBERS", counts.OVERFLOW_NUMBERS + 2)
        Counter(one, SEEN).add()
        Histogram(one, SECONDS, (0.1, 1)).observe(0.5)
        Counter(one, ("seen", "b")).add()
        Counter(one, ("seen", "c")).add()
        assert [set(worker.numbers) for worker in one.workers()] == [{SEEN, ("seen", "b")}]
        assert numbers(one, SEEN) == [(True, [1])]


class TestSeveralWorkers:
    def test_each_sees_the_counts_of_the_others_at_once(
        self, start_worker: Callable[[], tuple[BaseProcess, Connection, int]], tmp_path: Path
    ) -> None:
        (_, first, _), (_, second, _) = start_worker(), start_worker()
        here = Counts(tmp_path)
        count(first, 2)
        count(second, 3)
        Counter(here, SEEN).add(4)
        assert numbers(here, SEEN) == [(True, [2]), (True, [3]), (True, [4])]

    def test_the_counts_of_a_killed_worker_are_continued_by_its_successor(
        self, start_worker: Callable[[], tuple[BaseProcess, Connection, int]], tmp_path: Path
    ) -> None:
        here = Counts(tmp_path)
        for killed in range(3):
            process, connection, number = start_worker()
            assert number == 1
            count(connection, 2)
            assert numbers(here, SEEN) == [(True, [2 * killed + 2])]
            kill(process)
            assert numbers(here, SEEN) == [(False, [2 * killed + 2])]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]

    def test_gauges_of_a_successor_start_at_0(
        self, start_worker: Callable[[], tuple[BaseProcess, Connection, int]], tmp_path: Path
    ) -> None:
        process, connection, _ = start_worker()
        count(connection, 2)
        kill(process)
        here = Counts(tmp_path)
        assert numbers(here, NOW) == [(True, [2])]
        Gauge(here, NOW)
        assert numbers(here, NOW) == [(True, [0])]


def test_the_workers_get_a_folder_that_is_removed_afterwards() -> None:
    assert shared_folder() is None
    with sharing(workers=2):
        folder = shared_folder()
        assert folder is not None
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(path.name for path in folder.iterdir()) == ["0", "1"]
        Counter(Counts(folder), SEEN).add()
    assert not folder.exists()
    assert shared_folder() is None


class TestWithoutRoom:
    @pytest.fixture
    def _disks_are_too_small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counts, "ALL_BYTES", 1 << 60)

    @pytest.mark.usefixtures("_disks_are_too_small")
    def test_workers_get_no_folder(self) -> None:
        before = set(counts.MEMORY_FOLDER.iterdir())
        with sharing(workers=2):
            assert shared_folder() is None
            assert set(counts.MEMORY_FOLDER.iterdir()) <= before

    def test_a_worker_counts_alone(self, tmp_path: Path) -> None:
        here = Counts(tmp_path / "is gone")
        Counter(here, SEEN).add()
        assert numbers(here, SEEN) == [(True, [1])]

    def test_counting_uses_only_preallocated_space(self, tmp_path: Path) -> None:
        here = Counts(tmp_path)
        before = (tmp_path / "0").stat()
        for number in range(1000):
            Counter(here, ("seen", str(number))).add()
        after = (tmp_path / "0").stat()
        assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)
        assert [path.name for path in tmp_path.iterdir()] == ["0"]

    def test_workers_of_a_removed_folder_show_their_own_counts(self, tmp_path: Path) -> None:
        here = Counts(tmp_path)
        Counter(here, SEEN).add()
        shutil.rmtree(tmp_path)
        assert numbers(here, SEEN) == [(True, [1])]

    def test_names_that_do_not_fit_are_not_counted(self, one: Counts) -> None:
        Counter(one, ("x" * counts.NAMES_BYTES,)).add()
        Counter(one, SEEN).add()
        assert [set(worker.numbers) for worker in one.workers()] == [{SEEN}]


def test_an_incomplete_name_of_a_killed_worker_is_ignored(tmp_path: Path) -> None:
    dead = Counts(tmp_path)
    Counter(dead, SEEN).add()
    end = counts.NUMBERS * counts.NUMBER_BYTES + len('[1, "seen", "a"]\n')
    dead.values.release()
    del dead
    gc.collect()
    with (tmp_path / "0").open("r+b") as file:
        file.seek(end)
        file.write(b'[1, "half a name, and a long one')
    here = Counts(tmp_path)
    Counter(here, NOW).add()
    assert [set(worker.numbers) for worker in here.workers()] == [{SEEN, NOW}]
