"""Upper bounds of costs."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Check that the block takes less CPU time than this number of seconds.

    Garbage collection is disabled meanwhile: its time depends on the objects of other tests.
    """
    gc.disable()
    begin = time.process_time()
    try:
        yield
        assert time.process_time() - begin < seconds
    finally:
        gc.enable()
