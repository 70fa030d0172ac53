"""Fixtures of the tests of the service."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from app.settings import PREFIX


@pytest.fixture
def empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an empty model store, without environment variables."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    (tmp_path / "model_store").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Sends SIGINT to this thread alone, so that no other one, which does not block it, receives it instead.

    It raises KeyboardInterrupt even if the tests run in the background of a shell, which ignores SIGINT.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield partial(signal.pthread_kill, threading.get_ident(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)
