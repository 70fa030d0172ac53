"""Several workers on one port: connections are shared among them, and none is lost."""

import asyncio
import errno
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, cast

import pytest

from app.serving.listening import PAUSE_SECONDS, Listener, WorkerLoop, claim
from tests.waiting import GENEROUS_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux divides connections among sockets")


class Greeter(asyncio.Protocol):
    """Protocol that sends the number of its worker."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.told_to_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self.name)
        transport.close()

    def shutdown(self) -> None:
        self.told_to_end = True


def work(name: bytes, taken: socket.socket, listening: threading.Barrier, done: threading.Event) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Greeter(name), sock=taken, backlog=64)
        listening.wait(GENEROUS_SECONDS)
        await asyncio.to_thread(done.wait, GENEROUS_SECONDS)
        server.close()

    with asyncio.Runner(loop_factory=WorkerLoop) as runner:
        runner.run(main())


def test_every_worker_gets_a_share_of_the_connections() -> None:
    listening, done = threading.Barrier(3), threading.Event()
    with claim("127.0.0.1", 0) as taken, ExitStack() as stack:
        workers = [threading.Thread(target=work, args=(name, taken, listening, done)) for name in (b"a", b"b")]
        for worker in workers:
            worker.start()
        listening.wait(GENEROUS_SECONDS)
        address = taken.getsockname()
        clients = [stack.enter_context(socket.create_connection(address, timeout=GENEROUS_SECONDS)) for _ in range(64)]
        greeted = Counter(client.recv(1) for client in clients)
        done.set()
        for worker in workers:
            worker.join()
    assert set(greeted) == {b"a", b"b"}
    assert min(greeted.values()) >= 8  # out of 64 coin tosses; the probability of fewer is 1e-9


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        claim("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", ""], ids=["the same address", "all addresses"])
def test_a_port_claimed_by_another_service_is_refused(host: str) -> None:
    with claim("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        for _ in range(2):
            with pytest.raises(OSError, match="in use"):
                claim(host, port)
            done = threading.Event()
            listening = threading.Barrier(2)
            worker = threading.Thread(target=work, args=(b"a", taken, listening, done))
            worker.start()
            listening.wait(GENEROUS_SECONDS)
            with pytest.raises(OSError, match="in use"):
                claim(host, port)
            done.set()
            worker.join()
    claim(host, port).close()


def test_of_several_services_that_start_at_once_one_gets_the_port() -> None:
    for _ in range(20):
        with claim("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        with ThreadPoolExecutor(4) as pool:
            claims = [pool.submit(claim, "127.0.0.1", port) for _ in range(4)]
        errors = [each.exception() for each in claims]
        for each in claims:
            if each.exception() is None:
                each.result().close()
        assert sum(error is None for error in errors) == 1


def greeters(made: list[Greeter]) -> Callable[[], Greeter]:
    """Return a factory that records its protocols."""

    def make() -> Greeter:
        made.append(Greeter(b"a"))
        return made[-1]

    return make


def run_in_worker_loop(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=WorkerLoop) as runner:
        runner.run(main)


def test_the_system_takes_little_of_a_response_from_clients_that_read_nothing() -> None:
    """By default it takes megabytes, in memory that counts towards the container's."""

    class Flood(Greeter):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)
            self.transport.write(bytes(10_000_000))
            connected.set()

    connected = asyncio.Event()

    async def unsent() -> int:
        flood = Flood(b"")
        server = await asyncio.get_running_loop().create_server(lambda: flood, "127.0.0.1", 0, backlog=64)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(server.sockets[0].getsockname())
            await connected.wait()
            size = flood.transport.get_write_buffer_size()
            flood.transport.abort()
        server.close()
        return size

    with asyncio.Runner(loop_factory=WorkerLoop) as runner:
        assert runner.run(unsent()) > 9_000_000


def test_all_waiting_connections_are_accepted_in_a_few_rounds() -> None:
    async def main() -> None:
        taken: list[Greeter] = []
        server = await asyncio.get_running_loop().create_server(greeters(taken), "127.0.0.1", 0, backlog=100)
        address = server.sockets[0].getsockname()
        with ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(socket.create_connection(address, timeout=GENEROUS_SECONDS))
            rounds = 0
            while (before := len(taken)) < 100:
                await asyncio.sleep(0)
                rounds += len(taken) > before  # the system may deliver the last ones later
            assert rounds <= 10
        server.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=GENEROUS_SECONDS)

    run_in_worker_loop(main())


def test_connections_waiting_at_the_end_are_accepted_and_shut_down() -> None:
    async def main() -> None:
        taken: list[Greeter] = []
        server = await asyncio.get_running_loop().create_server(greeters(taken), "127.0.0.1", 0, backlog=8)
        address = server.sockets[0].getsockname()
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(address, GENEROUS_SECONDS)) for _ in range(8)]
            time.sleep(0.1)  # noqa: ASYNC251 - until the system has delivered all of them
            server.close()
            assert [await asyncio.to_thread(client.recv, 1) for client in clients] == [b"a"] * 8
        assert [each.told_to_end for each in taken] == [True] * 8

    run_in_worker_loop(main())


class Exhausted(socket.socket):
    """Socket that fails to accept once, for lack of file descriptors."""

    failed = False

    def accept(self) -> tuple[socket.socket, Any]:
        if not self.failed:
            self.failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_file_descriptors_it_pauses_and_resumes() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        waiting = Exhausted()
        waiting.bind(("127.0.0.1", 0))
        server = Listener(loop, lambda: Greeter(b"a"), [waiting], backlog=8)
        started = loop.time()
        reader, writer = await asyncio.open_connection(*waiting.getsockname())
        assert await reader.read() == b"a"
        assert loop.time() - started > PAUSE_SECONDS / 2
        assert waiting.failed
        writer.close()
        server.close()

    run_in_worker_loop(main())
