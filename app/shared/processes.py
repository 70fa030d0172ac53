"""Child processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def end_with_parent() -> None:
    """Exit as soon as the parent process ends, even if it is killed.

    Otherwise this process would wait for work forever: it holds both ends of its own work queue.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT; processes started in this block never receive it.

    Ctrl-C reaches all processes of a terminal, but only the first should handle it and end the others. A Ctrl-C during
    this block takes effect at its end, or at once if another thread does not block SIGINT. On Windows, do nothing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
