"""A pool of no processes: where only what is done in them matters, no test waits until they have loaded TensorFlow."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Self

import pytest


class InThisProcess:
    """Does at once what it is given."""

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*arguments))
        return future


@contextmanager
def cross_validating_here() -> Iterator[None]:
    """Let cross-validations train in this process; the commands may change what becomes of SIGTERM."""
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("training.pipeline.crossval.ProcessPoolExecutor", InThisProcess)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, handler)
