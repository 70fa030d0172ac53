"""What becomes of memory that is not needed any more."""

import contextlib
import ctypes

MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
LARGE_BYTES = 4 << 20


def give_back_large_buffers() -> None:
    """Let large buffers, such as the pixels of a large image, go back to the system as soon as they are freed.

    Left to itself, glibc keeps up to 32 MB of each kind in every thread, for the next. Other C libraries do not.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE_BYTES)
