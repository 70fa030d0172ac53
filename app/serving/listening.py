"""Listening sockets: workers share one port, and each accepts connections in bulk.

Each worker has its own socket, and the kernel distributes connections among them (SO_REUSEPORT). With one shared
socket, the first worker to wake would accept a whole burst while the others idle.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import uvloop

from app.observability.logs import get_logger

MAX_AT_ONCE = 128  # connections accepted per round of the event loop
PAUSE_SECONDS = 1.0
MAX_UNSENT_BYTES = 131_072
"""Bytes of a response that the system buffers for a connection before it can send them. By default it takes megabytes
from clients that read nothing, and these are then noticed late."""
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Factory = Callable[[], Any]
"""Creates uvicorn's protocol for a connection: an asyncio protocol with a `shutdown` method."""
log = get_logger("app.server")


def claim(host: str, port: int) -> socket.socket:
    """Reserve a port for the workers; nothing listens on the returned socket itself.

    With SO_REUSEPORT alone, the workers would also share the port with another service. So this socket first listens
    briefly without it, which fails if the address is taken. It then sets SO_REUSEPORT, so that the workers can bind,
    and clears SO_REUSEADDR, so that another `claim` fails.

    Raises:
        OSError: if the address is in use or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port == 0:  # the system frees the port it chose when nothing listens
        with socket.socket(family) as free:
            free.bind((host, 0))
            port = free.getsockname()[1]
    taken = socket.socket(family)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.shutdown(socket.SHUT_RDWR)
    except OSError:
        taken.close()
        raise
    taken.set_inheritable(True)
    return taken


class WorkerLoop(uvloop.Loop):
    """Event loop of a worker, which listens on its own socket at the address of a `claim` socket."""

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Factory,
        *args: Any,
        sock: socket.socket | None = None,
        backlog: int,
        **kwargs: Any,
    ) -> "Listener":
        """Listen with a `Listener`; if a socket is given, on a new one with the same address."""
        own = None if sock is None else _bound_like(sock.family, sock.getsockname())
        kwargs["start_serving"] = False
        bound: Any = await super().create_server(protocol_factory, *args, sock=own, **kwargs)
        sockets = [socket.socket(fileno=os.dup(each.fileno())) for each in bound.sockets]
        bound.close()
        return Listener(self, protocol_factory, sockets, backlog)


class Listener:
    """Server that accepts all waiting connections; uvloop accepts one per round (libuv since 1.45).

    Under overload, rounds are long. A new connection, even of a probe, would then wait one round for each connection
    ahead of it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, factory: Factory, sockets: list[socket.socket], backlog: int
    ) -> None:
        self._loop, self._factory, self.sockets = loop, factory, sockets
        self._opening: set[asyncio.Task[Any]] = set()
        for each in sockets:
            each.setblocking(False)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)  # of each connection
            each.listen(backlog)
            loop.add_reader(each, self._accept, each)

    def close(self) -> None:
        """Accept the waiting connections, which would otherwise be reset, and then no more."""
        for each in self.sockets:
            self._loop.remove_reader(each)
            self._accept(each)
            each.close()
        self.sockets = []

    async def wait_closed(self) -> None:
        """Return at once: there is nothing to wait for."""

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(MAX_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # closed by the client before it was accepted
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                log.exception("accepting no connections for a second")  # else it would retry in a busy loop
                self._loop.remove_reader(listener)
                self._loop.call_later(PAUSE_SECONDS, self._go_on, listener)
                return
            connection.setblocking(False)
            opening = self._loop.create_task(self._open(connection))
            self._opening.add(opening)  # the loop keeps only a weak reference
            opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        _, connection = await self._loop.connect_accepted_socket(self._factory, accepted)
        if not self.sockets:  # uvicorn has already shut down its known connections
            connection.shutdown()

    def _go_on(self, listener: socket.socket) -> None:
        if listener in self.sockets:
            self._loop.add_reader(listener, self._accept, listener)


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
