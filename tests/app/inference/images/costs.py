"""What something costs at most."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done takes less of the processor than so many seconds.

    Garbage is not collected meanwhile: that takes as long as there is much in memory of other tests.
    """
    gc.disable()
    begin = time.process_time()
    try:
        yield
        assert time.process_time() - begin < seconds
    finally:
        gc.enable()
