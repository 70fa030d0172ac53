"""Ctrl-C and SIGTERM during a training."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_deferred() -> Iterator[Callable[[], None]]:
    """Remember SIGINT and SIGTERM instead of raising KeyboardInterrupt wherever the main thread is.

    If it is in a destructor, Python prints the exception and goes on; see the documentation of `object.__del__`. Only
    the first signal is deferred: a second one raises at once.

    Yields:
        A function that raises KeyboardInterrupt if a signal has arrived. The end of the block does so, too.
    """
    arrived: list[int] = []

    def remember(number: int, _frame: object) -> None:
        arrived.append(number)
        signal.signal(number, signal.default_int_handler)

    def raise_if_interrupted() -> None:
        if arrived:
            raise KeyboardInterrupt

    raising = [number for number in (signal.SIGINT, signal.SIGTERM) if _raises(number)]
    for number in raising:
        signal.signal(number, remember)
    try:
        yield raise_if_interrupted
    finally:
        for number in raising:
            signal.signal(number, signal.default_int_handler)
    raise_if_interrupted()


def _raises(number: int) -> bool:
    """Return whether a signal raises KeyboardInterrupt in this thread."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(number) is signal.default_int_handler
