"""Ctrl-C and SIGTERM during a training."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_noted() -> Iterator[Callable[[], None]]:
    """Note signals that would raise KeyboardInterrupt at any point of the first thread.

    In a destructor, Python would only print the exception and go on, and Keras and TensorFlow have many. A second
    signal raises at once, in case the first one is never asked for.

    Yields:
        A function that raises KeyboardInterrupt if a signal was noted. The end of the block does so, too.
    """
    noted: list[int] = []

    def note(number: int, _frame: object) -> None:
        noted.append(number)
        signal.signal(number, signal.default_int_handler)

    def raise_if_noted() -> None:
        if noted:
            raise KeyboardInterrupt

    raising = [number for number in (signal.SIGINT, signal.SIGTERM) if _raises(number)]
    for number in raising:
        signal.signal(number, note)
    try:
        yield raise_if_noted
    finally:
        for number in raising:
            signal.signal(number, signal.default_int_handler)
    raise_if_noted()


def _raises(number: int) -> bool:
    """Return whether a signal raises KeyboardInterrupt in this thread."""
    first = threading.current_thread() is threading.main_thread()
    return first and signal.getsignal(number) is signal.default_int_handler
