"""Available memory, and settings of the allocator and the garbage collector."""

import contextlib
import ctypes
import gc
import sys
from pathlib import Path

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -2, -3, -4, -8  # M_TRIM_THRESHOLD … in malloc.h
LARGE_BYTES = 4 << 20
YOUNG_OBJECTS = 10_000
"""Python's default is 700, or 2,000 since 3.12."""
MAX_KEPT_BYTES, STEP_BYTES = 1 << 30, 64 << 20
"""Memory that a training keeps, and the size of each further allocation."""
OWN_STATUS = Path("/proc/self/status")
CGROUP_V2 = Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"
CGROUP_V1 = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def available_memory() -> int:
    """Return the bytes left to the container (control group, version 2 or 1); `sys.maxsize` without a limit."""
    _, left = _limit_and_left()
    return left


def share_of_memory(processes: int) -> int:
    """Return the bytes that this process may still take, as one of `processes` equal ones in the container.

    The others may not have allocated theirs yet, so it is at most an equal share minus what this process holds.
    """
    limit, left = _limit_and_left()
    return min(left // processes, max(0, limit // processes - _held_memory()))


def _limit_and_left() -> tuple[int, int]:
    for folder, limit, usage, cache in (CGROUP_V2, CGROUP_V1):
        with contextlib.suppress(OSError, ValueError, StopIteration):
            # The kernel reclaims inactive file pages when memory is needed.
            spare = _number_after(folder / "memory.stat", f"{cache} ")
            maximum = _number_in(folder / limit)
            return maximum, max(0, maximum - _number_in(folder / usage) + spare)
    return sys.maxsize, sys.maxsize


def _held_memory() -> int:
    """Return the anonymous memory of this process in bytes; 0 if unknown."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        return 1024 * _number_after(OWN_STATUS, "RssAnon:")
    return 0


def _number_after(file: Path, name: str) -> int:
    """Return the number in the first line that starts with a name."""
    lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _number_in(file: Path) -> int:
    """Return the number in a file; raise ValueError if it says that there is no limit."""
    return int(file.read_text(encoding="ascii"))


def release_large_buffers() -> None:
    """Return large buffers, such as the pixels of a large image, to the system as soon as they are freed.

    By default glibc keeps up to 32 MB of each size in every thread. It still keeps smaller buffers, which every batch
    needs again, in one heap for all threads: with a heap each, a thread cannot use what another has freed. Other C
    libraries ignore this.
    """
    _set_malloc({MMAP_THRESHOLD: LARGE_BYTES, TRIM_THRESHOLD: LARGE_BYTES, ARENA_MAX: 1})


def release_free_pages() -> None:
    """Return free pages to the system: glibc never returns those between used ones by itself.

    Collect reference cycles first, which the garbage collector does only after very many requests.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_large_buffers() -> None:
    """Keep large buffers for reuse: a training needs the same ones in every step.

    By default glibc returns them to the system and allocates them again: with batches of pictures 300 pixels wide, a
    quarter of the training's time. One heap for all threads, as the others end at 64 MB.
    """
    _set_malloc({MMAP_MAX: 0, ARENA_MAX: 1, TRIM_THRESHOLD: MAX_KEPT_BYTES, TOP_PAD: STEP_BYTES})


def _set_malloc(options: dict[int, int]) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)


def disable_garbage_collection() -> None:
    """Disable the garbage collector until `freeze_objects`: it would take a sixth of the start-up time."""
    gc.disable()


def freeze_objects() -> None:
    """Exclude all current objects from garbage collection; after start-up, they live until the process ends.

    The collector would scan them again and again and frees almost nothing. The higher threshold allows for the objects
    of sixteen concurrent requests: scanning those, which are freed without it, took 5 % of a request.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()
