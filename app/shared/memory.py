"""How much memory there is, and what becomes of what is not needed any more."""

import contextlib
import ctypes
import gc
import sys
from pathlib import Path

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # M_TRIM_THRESHOLD and so on, of malloc.h
LARGE_BYTES = 4 << 20
YOUNG_OBJECTS = 10_000
"""Python's own number is 700, or 2,000 since 3.12."""
MAX_MMAP_THRESHOLD, MAX_KEPT_BYTES, STEP_BYTES = 32 << 20, 1 << 30, 64 << 20
"""What a training is to keep, and how much more of it is taken at a time."""
OWN_STATUS = Path("/proc/self/status")
CGROUP_V2 = Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"
CGROUP_V1 = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def available_memory() -> int:
    """Return the bytes that the container (control group, version 2 or 1) has left; a huge number without a limit."""
    _, left = _limit_and_left()
    return left


def share_of_memory(processes: int) -> int:
    """Return the bytes that this one of so many alike in the container may still take.

    The others may not have taken theirs yet. So it is at most an equal part of all, less what this one holds.
    """
    limit, left = _limit_and_left()
    return min(left // processes, max(0, limit // processes - _held_memory()))


def _limit_and_left() -> tuple[int, int]:
    for folder, limit, usage, cache in (CGROUP_V2, CGROUP_V1):
        with contextlib.suppress(OSError, ValueError, StopIteration):
            # Pages of files that were not used lately make room when it is needed.
            spare = _number_after(folder / "memory.stat", f"{cache} ")
            most = _number_in(folder / limit)
            return most, max(0, most - _number_in(folder / usage) + spare)
    return sys.maxsize, sys.maxsize


def _held_memory() -> int:
    """Return the bytes that this process has for itself, without those of files; 0 where that is not told."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        return 1024 * _number_after(OWN_STATUS, "RssAnon:")
    return 0


def _number_after(file: Path, name: str) -> int:
    """Return the number of the first line that begins with a name."""
    lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _number_in(file: Path) -> int:
    """Return the number in a file; raise a ValueError where it says that there is no limit."""
    return int(file.read_text(encoding="ascii"))


def give_back_large_buffers() -> None:
    """Let large buffers, such as the pixels of a large image, go back to the system as soon as they are freed.

    Left to itself, glibc keeps up to 32 MB of each kind in every thread, for the next. Smaller ones it keeps here
    too, since every batch needs them anew. Other C libraries do neither.
    """
    _set_malloc({MMAP_THRESHOLD: LARGE_BYTES, TRIM_THRESHOLD: LARGE_BYTES})


def keep_large_buffers() -> None:
    """Let large buffers be used again instead: a training asks for the same ones in every step.

    Left to itself, glibc gives them back to the system and takes them anew.
    """
    _set_malloc({MMAP_THRESHOLD: MAX_MMAP_THRESHOLD, TRIM_THRESHOLD: MAX_KEPT_BYTES, TOP_PAD: STEP_BYTES})


def _set_malloc(options: dict[int, int]) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)


def collect_nothing_yet() -> None:
    """Let the garbage collector wait for `keep_what_there_is`: it would take a sixth of a start."""
    gc.disable()


def keep_what_there_is() -> None:
    """Let the garbage collector leave alone all that there is now: after a start, what stays to the end.

    It would look through all of it again and again, and finds next to nothing the first time. It also waits for more
    new objects than sixteen requests have at a time: looking through those, which are freed without it, took 5 % of a
    request.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()
