"""Numbers that each worker counts by itself and any of them adds up; prometheus_client's would add 4 % to a request."""

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
"""That a worker has room for."""
NOWHERE, NOWHERE_NUMBERS = 0, 64
"""Where is counted what there is no room for, and nobody reads it."""
NUMBER_BYTES = 8
NAMES_BYTES = 1 << 18
"""For the names and labels of what is counted, which stand behind the numbers."""

FOLDER_VARIABLE = "CAPTCHA_READER_METRICS"
"""By which the workers learn of the folder that they share; not for people to set."""
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108
"""Where Linux has files in memory, also in a container whose file system is read-only."""

log = get_logger("app")

Series = tuple[str, ...]
"""The name of a metric and the values of its labels."""


class Counted(NamedTuple):
    """What a worker has counted."""

    worker: int
    """Its number; a worker that takes the place of a dead one has the number of that."""
    alive: bool
    numbers: dict[Series, Sequence[float]]


class Counts:
    """Numbers in memory that a worker shares with the others, through files of a folder.

    A worker holds the lock of its file as long as it lives. One that is started in the place of a dead one takes up the
    file and goes on counting, so that nothing is lost, however the other died.

    Only one thread may count, which is that of the event loop.

    Attributes:
        worker: the number of this worker.
        values: the numbers; those of a series are where `place` says.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Begin to count, or go on.

        Args:
            folder: what the workers share; without it, or where it cannot be used, this one counts alone.
        """
        self._folder = folder
        self._places: dict[Series, int] = {}
        try:
            self.worker, self._memory = (0, _own_memory()) if folder is None else _take_file(folder)
        except OSError as error:
            log.warning("this worker counts alone, /metrics shows one of several", reason=error.strerror)
            self._folder, self.worker, self._memory = None, 0, _own_memory()
        self._sizes = _sizes_in(self._memory[-NAMES_BYTES:])
        self._names_end = len(self._memory) - NAMES_BYTES + self._memory[-NAMES_BYTES:].rfind(b"\n") + 1
        self._known = _places_of(self._sizes)
        self._used = NOWHERE_NUMBERS + sum(self._sizes.values())
        self.values: memoryview[float] = memoryview(self._memory)[:-NAMES_BYTES].cast("d")

    def place(self, series: Series, size: int, *, lasting: bool) -> int:
        """Return where in `values` the numbers of a series begin.

        Args:
            series: its name and labels.
            size: how many numbers it has; always the same.
            lasting: whether to go on from what a dead worker has left there, else from 0.
        """
        if series in self._places:
            return self._places[series]
        if series not in self._known:
            name = json.dumps([size, *series]).encode() + b"\n"
            end = self._names_end + len(name)
            if self._used + size > NUMBERS or end > len(self._memory):
                return NOWHERE
            self._memory[self._names_end : end] = name
            self._names_end = end
            self._known[series], self._sizes[series] = self._used, size
            self._used += size
        place = self._places[series] = self._known[series]
        if not lasting:
            self.values[place : place + size] = array("d", bytes(size * NUMBER_BYTES))
        return place

    def workers(self) -> Iterator[Counted]:
        """Yield what each worker has counted, also those that are dead."""
        numbers = {self.worker}
        if self._folder is not None:
            with suppress(FileNotFoundError):  # somebody has cleaned up
                numbers |= {int(path.name) for path in self._folder.iterdir()}
        for number in sorted(numbers):
            if number == self.worker:
                yield Counted(number, True, _split(self.values, dict(self._sizes)))  # the event loop may add to them
            elif self._folder is not None:
                path = _file(self._folder, number)
                content = path.read_bytes()
                values, sizes = array("d", content[:-NAMES_BYTES]), _sizes_in(content[-NAMES_BYTES:])
                yield Counted(number, _is_locked(path), _split(values, sizes))


class Counter:
    """A number that grows."""

    def __init__(self, counts: Counts, series: Series) -> None:
        self._values = counts.values
        self._place = counts.place(series, 1, lasting=True)

    def add(self, times: int = 1) -> None:
        """Count."""
        self._values[self._place] += times


class Gauge:
    """A number of what is now; as a context manager, of those that are within."""

    def __init__(self, counts: Counts, series: Series) -> None:
        self._values = counts.values
        self._place = counts.place(series, 1, lasting=False)

    def set(self, value: float) -> None:
        """Make it this number."""
        self._values[self._place] = value

    def __enter__(self) -> None:
        self._values[self._place] += 1

    def __exit__(self, *_: object) -> None:
        self._values[self._place] -= 1


class Histogram:
    """How many values lie in each of several buckets, and their sum."""

    def __init__(self, counts: Counts, series: Series, edges: Sequence[float]) -> None:
        """Begin to count; the edges, ascending, are the upper ones of the buckets and belong to them."""
        self._values, self._edges = counts.values, edges
        self._place = counts.place(series, len(edges) + 2, lasting=True)
        self._sum = self._place + len(edges) + 1

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, once or several times."""
        values = self._values
        values[self._place + bisect_left(self._edges, value)] += times
        values[self._sum] += value * times


@contextmanager
def sharing(workers: int) -> Iterator[None]:
    """Let the workers that are started meanwhile share what they count; where there is no room, each counts alone.

    Args:
        workers: how many there will be at the same time.
    """
    folder = _make_folder(workers)
    if folder is None:
        log.warning(
            "each worker counts alone, /metrics shows the one that answers: there is no room for temporary files"
        )
        yield
        return
    with folder:
        os.environ[FOLDER_VARIABLE] = folder.name
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


def _make_folder(workers: int) -> "tempfile.TemporaryDirectory[str] | None":
    """Return a folder with room for all that is counted, taken now: nothing needs more of a disk that fills up later.

    Where a disk is full when a page is first written, the process that writes it is killed.
    """
    for within in (MEMORY_FOLDER, None):
        with suppress(OSError):
            folder = tempfile.TemporaryDirectory(prefix="captcha-reader-", dir=within)
            try:
                for number in range(workers):
                    with _file(Path(folder.name), number).open("wb") as file:
                        _take_room(file.fileno())
            except OSError:
                folder.cleanup()
                raise
            return folder
    return None


def shared_folder() -> Path | None:
    """Return what this worker shares with others, if there are others."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def _own_memory() -> mmap.mmap:
    return mmap.mmap(-1, _all_bytes())


def _take_file(folder: Path) -> tuple[int, mmap.mmap]:
    """Return the first file that no living worker has, and its number."""
    for number in itertools.count():
        with _file(folder, number).open("a+b") as file:
            if not lock(file):
                continue
            _take_room(file.fileno())
            return number, mmap.mmap(file.fileno(), 0)  # has a descriptor of its own, which keeps the lock
    raise AssertionError("there is always a next number")


def _take_room(descriptor: int) -> None:
    os.posix_fallocate(descriptor, 0, _all_bytes())


def _all_bytes() -> int:
    return NUMBERS * NUMBER_BYTES + NAMES_BYTES


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        return not lock(file, exclusive=False)


def _file(folder: Path, worker: int) -> Path:
    return folder / str(worker)


def _sizes_in(names: bytes) -> dict[Series, int]:
    """Return how many numbers each series of a worker has, in their order; a line that is not whole is none."""
    lines = names[: names.rfind(b"\n") + 1].splitlines()
    return {tuple(series): size for size, *series in map(json.loads, lines)}


def _places_of(sizes: dict[Series, int]) -> dict[Series, int]:
    return dict(zip(sizes, itertools.accumulate(sizes.values(), initial=NOWHERE_NUMBERS), strict=False))


def _split(values: Sequence[float], sizes: dict[Series, int]) -> dict[Series, Sequence[float]]:
    return {series: values[place : place + sizes[series]] for series, place in _places_of(sizes).items()}
