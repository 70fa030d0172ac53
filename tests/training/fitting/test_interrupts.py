"""Ctrl-C and SIGTERM during a training."""

import signal
import threading
from collections.abc import Callable

import pytest

from tests.training.conftest import InterruptedWhenDestroyed
from training.fitting.interrupts import interrupts_deferred


def reached_in(block: Callable[[list[str]], None]) -> list[str]:
    """Run a block that is to be interrupted, and return what it has added to its list."""
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        block(reached)
    return reached


def test_one_in_a_destructor_is_raised_when_asked_for() -> None:
    def block(reached: list[str]) -> None:
        with interrupts_deferred() as raise_if_interrupted:
            raise_if_interrupted()
            InterruptedWhenDestroyed()
            reached.append("the end of the destructor")
            raise_if_interrupted()
            reached.append("the end")

    assert reached_in(block) == ["the end of the destructor"]


def test_one_that_nobody_asks_for_is_raised_at_the_end() -> None:
    def block(reached: list[str]) -> None:
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")

    assert reached_in(block) == ["the end"]


def test_a_second_one_is_raised_at_once() -> None:
    def block(reached: list[str]) -> None:
        with interrupts_deferred():
            for number in ("first", "second"):
                signal.raise_signal(signal.SIGINT)
                reached.append(number)

    assert reached_in(block) == ["first"]


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["raises", "ignored"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_handlers_are_as_before(number: signal.Signals, handler: signal.Handlers) -> None:
    before = signal.signal(number, handler)
    try:
        with interrupts_deferred():
            assert (signal.getsignal(number) is handler) == (handler is signal.SIG_IGN)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)


def test_none_is_deferred_in_other_threads() -> None:
    handlers = []

    def look() -> None:
        with interrupts_deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
