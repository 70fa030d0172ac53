"""Counters in memory that workers share; prometheus_client's would add 4 % to a request."""

import itertools
import json
import mmap
import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from app.observability.logs import get_logger
from app.shared.files import lock

NUMBERS = 16_384
"""Capacity of a worker."""
OVERFLOW, OVERFLOW_NUMBERS = 0, 64
"""Overflow slot, never exported."""
NUMBER_BYTES = 8
NAMES_BYTES = 1 << 18
"""Space for metric names and labels, stored after the numbers."""
ALL_BYTES = NUMBERS * NUMBER_BYTES + NAMES_BYTES

FOLDER_VARIABLE = "CAPTCHA_READER_METRICS"
"""Internal: passes the shared folder to the workers."""
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108
"""Linux keeps these files in memory, even in a container with a read-only file system."""

log = get_logger("app")

Series = tuple[str, ...]
"""Name of a metric and the values of its labels."""


class Counted(NamedTuple):
    """Numbers of one worker."""

    worker: int
    """Its number; a replacement has the number of the dead worker."""
    alive: bool
    numbers: dict[Series, Sequence[float]]


class Counts:
    """Numbers that a worker shares with the others through memory-mapped files in a folder.

    A worker locks its file as long as it lives. The replacement of a dead worker takes over the file and continues
    its counts, so nothing is lost however the worker died.

    Only the event loop's thread may count.

    Attributes:
        worker: number of this worker.
        values: the numbers; `place` returns the position of a series.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Start counting, or continue the counts of a dead worker in the folder that the workers share.

        If it is None or unusable, this worker counts alone.
        """
        self._folder = folder
        self._places: dict[Series, int] = {}
        try:
            self.worker, self._memory = (0, mmap.mmap(-1, ALL_BYTES)) if folder is None else _take_file(folder)
        except OSError as error:
            log.warning("cannot share metrics: /metrics shows only one of the workers", reason=error.strerror)
            self._folder, self.worker, self._memory = None, 0, mmap.mmap(-1, ALL_BYTES)
        self._sizes = _sizes_in(self._memory[-NAMES_BYTES:])
        self._names_end = len(self._memory) - NAMES_BYTES + self._memory[-NAMES_BYTES:].rfind(b"\n") + 1
        self._known = _places_of(self._sizes)
        self._used = OVERFLOW_NUMBERS + sum(self._sizes.values())
        self.values: memoryview[float] = memoryview(self._memory)[:-NAMES_BYTES].cast("d")

    def place(self, series: Series, size: int, *, lasting: bool) -> int:
        """Return the position in `values` where the numbers of a series begin.

        Args:
            series: its name and labels.
            size: number of values; constant for a series.
            lasting: whether to continue from a dead worker's numbers; otherwise they start from 0.
        """
        if series in self._places:
            return self._places[series]
        if series not in self._known:
            name = json.dumps([size, *series]).encode() + b"\n"
            end = self._names_end + len(name)
            if self._used + size > NUMBERS or end > len(self._memory):
                return OVERFLOW
            self._memory[self._names_end : end] = name
            self._names_end = end
            self._known[series], self._sizes[series] = self._used, size
            self._used += size
        place = self._places[series] = self._known[series]
        if not lasting:
            self.values[place : place + size] = array("d", bytes(size * NUMBER_BYTES))
        return place

    def workers(self) -> Iterator[Counted]:
        """Yield the numbers of each worker, dead ones included."""
        numbers = {self.worker}
        if self._folder is not None:
            with suppress(FileNotFoundError):  # the folder was cleaned up
                numbers |= {int(path.name) for path in self._folder.iterdir()}
        for number in sorted(numbers):
            if number == self.worker:
                sizes = dict(self._sizes)  # copied, since the event loop may add series
                yield Counted(number, True, _split(self.values, sizes))
            elif self._folder is not None:
                path = self._folder / str(number)
                content = path.read_bytes()
                values, sizes = array("d", content[:-NAMES_BYTES]), _sizes_in(content[-NAMES_BYTES:])
                yield Counted(number, _is_locked(path), _split(values, sizes))


class Counter:
    """Number that only grows."""

    def __init__(self, counts: Counts, series: Series) -> None:
        self._values = counts.values
        self._place = counts.place(series, 1, lasting=True)

    def add(self, times: int = 1) -> None:
        """Add to the number."""
        self._values[self._place] += times


class Gauge:
    """Current value."""

    def __init__(self, counts: Counts, series: Series) -> None:
        self._values = counts.values
        self._place = counts.place(series, 1, lasting=False)

    def set(self, value: float) -> None:
        """Set the value."""
        self._values[self._place] = value


class Histogram:
    """Number of values in each bucket, and their sum."""

    def __init__(self, counts: Counts, series: Series, edges: Sequence[float]) -> None:
        """Start counting; `edges` are the inclusive upper bounds of the buckets, ascending."""
        self._values, self._edges = counts.values, edges
        self._place = counts.place(series, len(edges) + 2, lasting=True)
        self._sum = self._place + len(edges) + 1

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value `times` times."""
        values = self._values
        values[self._place + bisect_left(self._edges, value)] += times
        values[self._sum] += value * times


@contextmanager
def sharing(workers: int) -> Iterator[None]:
    """Let this number of workers, started in this context, share their counts; without space, each counts alone."""
    folder = _make_folder(workers)
    if folder is None:
        log.warning("cannot share metrics: no space for temporary files; /metrics shows only the worker that answers")
        yield
        return
    with folder:
        os.environ[FOLDER_VARIABLE] = folder.name
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


def _make_folder(workers: int) -> "tempfile.TemporaryDirectory[str] | None":
    """Return a folder with preallocated files, or None without room for them.

    If the disk were full at the first write to a page, the kernel would kill the writing process.
    """
    for within in (MEMORY_FOLDER, None):
        with suppress(OSError):
            folder = tempfile.TemporaryDirectory(prefix="captcha-reader-", dir=within)
            try:
                for number in range(workers):
                    with Path(folder.name, str(number)).open("wb") as file:
                        os.posix_fallocate(file.fileno(), 0, ALL_BYTES)
            except OSError:
                folder.cleanup()
                raise
            return folder
    return None


def shared_folder() -> Path | None:
    """Return the folder that this worker shares with others, or None if it is alone."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def _take_file(folder: Path) -> tuple[int, mmap.mmap]:
    """Return the number and memory of the first file that no living worker holds."""
    for number in itertools.count():
        with (folder / str(number)).open("a+b") as file:
            if not lock(file):
                continue
            os.posix_fallocate(file.fileno(), 0, ALL_BYTES)
            return number, mmap.mmap(file.fileno(), 0)  # duplicates the descriptor, which keeps the lock
    raise AssertionError("there is always a next number")


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        return not lock(file, exclusive=False)


def _sizes_in(names: bytes) -> dict[Series, int]:
    """Return the number of values of each series, in order; an incomplete last line is ignored."""
    lines = names[: names.rfind(b"\n") + 1].splitlines()
    return {tuple(series): size for size, *series in map(json.loads, lines)}


def _places_of(sizes: dict[Series, int]) -> dict[Series, int]:
    return dict(zip(sizes, itertools.accumulate(sizes.values(), initial=OVERFLOW_NUMBERS), strict=False))


def _split(values: Sequence[float], sizes: dict[Series, int]) -> dict[Series, Sequence[float]]:
    return {series: values[place : place + sizes[series]] for series, place in _places_of(sizes).items()}
