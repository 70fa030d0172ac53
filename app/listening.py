"""How several workers share one port: each with a socket of its own, among which the system divides connections.

One socket for all would let a worker that wakes first take all connections that come at once, while others idle.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvloop


def bind(host: str, port: int) -> socket.socket:
    """Take a port for the workers; nobody listens on this socket itself.

    Raises:
        OSError: the address is taken or none of this machine's.
    """
    taken = _bound_like(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))
    taken.set_inheritable(True)
    return taken


class WorkerLoop(uvloop.Loop):
    """The event loop of a worker, which listens beside a socket that `bind` made, not on it."""

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *args: Any,
        sock: socket.socket | None = None,
        **kwargs: Any,
    ) -> asyncio.AbstractServer:
        """Listen as event loops do, but on a new socket of the same address if one is given."""
        own = None if sock is None else _bound_like(sock.family, sock.getsockname())
        return await super().create_server(protocol_factory, *args, sock=own, **kwargs)


def _bound_like(family: int, address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
