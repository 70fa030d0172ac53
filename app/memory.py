"""What becomes of memory that is not needed any more."""

import contextlib
import ctypes
import gc

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
LARGE_BYTES = 4 << 20


def give_back_large_buffers() -> None:
    """Let large buffers, such as the pixels of a large image, go back to the system as soon as they are freed.

    Left to itself, glibc keeps up to 32 MB of each kind in every thread, for the next. Smaller ones it keeps here
    too: to ask for the buffers of every batch anew would cost as much as to take its form apart. Other C libraries
    do neither.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(TRIM_THRESHOLD, LARGE_BYTES)


def keep_what_there_is() -> None:
    """Let the garbage collector leave alone all that there is now: after a start, what stays to the end.

    To look through it again and again would take a tenth of the time of reading a batch.
    """
    gc.collect()
    gc.freeze()
