"""Ports for what cannot be told to take any that is free."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.serving.listening import bind


@contextmanager
def held_port() -> Iterator[int]:
    """A port at which others can listen meanwhile, at any address; the system gives it to nobody who asks for any."""
    with bind("", 0) as held:
        yield held.getsockname()[1]
