"""How workers share one port, and how they take connections.

Each has a socket of its own, among which the system divides connections: of one socket for all, a worker that wakes
first would take all connections that come at once, while others idle.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import uvloop

from app.observability.logs import get_logger

MAX_AT_ONCE = 128  # connections that are taken between two looks at the others
PAUSE_SECONDS = 1.0
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Factory = Callable[[], Any]
"""Makes what uvicorn has for each connection: a protocol of asyncio that can be told `shutdown` too."""
log = get_logger("app.server")


def claim(host: str, port: int) -> socket.socket:
    """Take a port for the workers alone; nobody listens on this socket itself.

    Sockets that may share their port would share it with those of another service, too. So this one listens for a
    moment, which of all sockets of an address only one can that does not share; then it shares with those that ask
    to, but, as it may not be used again, not with another that listens for a moment.

    Raises:
        OSError: the address is taken or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port == 0:  # the system takes back what it chose when nobody listens any more
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
    """The event loop of a worker, which listens beside a socket that `claim` made, not on it."""

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Factory,
        *args: Any,
        sock: socket.socket | None = None,
        backlog: int,
        **kwargs: Any,
    ) -> "Listener":
        """Listen as event loops do, but on a new socket of the same address if one is given, and see `Listener`."""
        own = None if sock is None else _bound_like(sock.family, sock.getsockname())
        kwargs["start_serving"] = False
        bound: Any = await super().create_server(protocol_factory, *args, sock=own, **kwargs)
        sockets = [socket.socket(fileno=os.dup(each.fileno())) for each in bound.sockets]
        bound.close()
        return Listener(self, protocol_factory, sockets, backlog)


class Listener:
    """Takes all connections that wait, where uvloop takes one a round (libuv since 1.45).

    Rounds are long where many requests have to be refused; new connections, those of probes too, would wait for as
    many rounds as there are others before them.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, factory: Factory, sockets: list[socket.socket], backlog: int
    ) -> None:
        self._loop, self._factory, self.sockets = loop, factory, sockets
        self._opening: set[asyncio.Task[Any]] = set()
        for each in sockets:
            each.setblocking(False)
            each.listen(backlog)
            loop.add_reader(each, self._accept, each)

    def close(self) -> None:
        """Take no more connections, but those that wait: they would be reset."""
        for each in self.sockets:
            self._loop.remove_reader(each)
            self._accept(each)
            each.close()
        self.sockets = []

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(MAX_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # gone before it was taken
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                log.exception("no connection can be taken for a second")  # else it would be tried without end
                self._loop.remove_reader(listener)
                self._loop.call_later(PAUSE_SECONDS, self._go_on, listener)
                return
            connection.setblocking(False)
            opening = self._loop.create_task(self._open(connection))
            self._opening.add(opening)  # the loop itself keeps no hold of it
            opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        _, connection = await self._loop.connect_accepted_socket(self._factory, accepted)
        if not self.sockets:  # those that uvicorn knew of have been told
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
