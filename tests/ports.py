"""Ports for what cannot be told to take any that is free."""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET, socket


@contextmanager
def held_port() -> Iterator[int]:
    """A port at which others can listen meanwhile, at any address; the system gives it to nobody who asks for any."""
    with socket() as held:
        held.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        held.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        held.bind(("", 0))
        yield held.getsockname()[1]
