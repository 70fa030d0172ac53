"""Waiting for what other processes and threads do, as long as a busy machine may take for it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import httpx

T = TypeVar("T")
Process = TypeVar("Process", "subprocess.Popen[str]", "subprocess.Popen[bytes]")

GENEROUS_SECONDS = 240
"""What takes longer has hung; less than pytest gives a test, so that the test itself says what it was."""
PAUSE_SECONDS = 0.02


def wait_until(condition: Callable[[], T | None], say: Callable[[], object] = str) -> T:
    """Ask until something is true, and return it.

    Args:
        condition: what is asked.
        say: what the test fails with where it does not come true.
    """
    deadline = time.monotonic() + GENEROUS_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, say()
        time.sleep(PAUSE_SECONDS)
    return found


def status_of(url: str) -> int | None:
    """What who is asked at an address says; None if nobody is there."""
    try:
        return httpx.get(url).status_code
    except httpx.TransportError:
        return None


def answers_200(url: str) -> bool:
    """Whether who is asked at an address is there and says 200."""
    return status_of(url) == 200


@contextmanager
def ending(process: Process) -> Iterator[Process]:
    """A process that does not outlive the test, nor do those of its group if it leads one."""
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.communicate()
