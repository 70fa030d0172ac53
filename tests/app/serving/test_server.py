"""Single writes of responses, since a process may be killed between two, and the requests answered at shutdown."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from app.serving import server
from app.serving.server import DeadlineProtocol
from tests.waiting import GENEROUS_SECONDS

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HELLO_HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
HELLO = HELLO_HEAD + b"hello"
LAST_HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"


class Recorder(asyncio.Transport):
    """Transport that records its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.writes.append(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignore the limits."""

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


class End:
    """Shut down the connection."""


def answered(app: Callable[..., Any], *pieces: bytes | type[End]) -> Recorder:
    """Return the transport after all requests in these pieces are answered and any shutdown is complete."""

    async def main() -> Recorder:
        state, transport = ServerState(), Recorder()
        protocol = DeadlineProtocol(Config(app, log_config=None, server_header=False, date_header=False), state, {})
        protocol.connection_made(transport)
        for piece in pieces:
            if isinstance(piece, bytes):
                protocol.data_received(piece)
            else:
                protocol.shutdown()
            await asyncio.sleep(0)  # lets the application start before the next piece
        while state.tasks:
            await asyncio.gather(*state.tasks)
            await asyncio.sleep(0)  # finished tasks leave the set; since Python 3.12 gather may return at once
        if End in pieces:
            await asyncio.wait_for(transport.closed.wait(), GENEROUS_SECONDS)
        protocol.connection_lost(None)
        return transport

    return asyncio.run(main())


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def hello(_scope: object, _receive: Receive, send: Send) -> None:
    await start(send, (b"content-length", b"5"))
    await send({"type": "http.response.body", "body": b"hello"})


async def reading(scope: object, receive: Receive, send: Send) -> None:
    assert (await receive())["body"] == b"body"
    await hello(scope, receive, send)


def test_head_and_body_go_out_together() -> None:
    assert answered(hello, GET).writes == [HELLO]


def test_head_and_body_go_out_together_for_each_of_several_requests() -> None:
    assert answered(hello, GET + GET).writes == [HELLO, HELLO]


def test_a_head_without_a_body_goes_out() -> None:
    assert answered(hello, HEAD).writes == [HELLO_HEAD]

    async def nothing(_scope: object, _receive: Receive, send: Send) -> None:
        await start(send, status=204)
        await send({"type": "http.response.body"})

    assert answered(nothing, GET).writes == [b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_further_parts_of_a_body_are_sent_at_once() -> None:
    async def stream(_scope: object, _receive: Receive, send: Send) -> None:
        await start(send)
        for part in (b"a", b"b"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert answered(stream, GET).writes == [head + b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"]


def test_expect_100_continue_is_answered() -> None:
    head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n"
    assert answered(reading, head, b"body").writes == [b"HTTP/1.1 100 Continue\r\n\r\n", HELLO]


def test_a_failure_after_the_head_sends_nothing_and_closes() -> None:
    async def failing(_scope: object, _receive: Receive, send: Send) -> None:
        await start(send, (b"content-length", b"5"))
        raise ValueError

    transport = answered(failing, GET)
    assert (transport.writes, transport.is_closing()) == ([], True)


class TestEnding:
    @pytest.mark.parametrize(
        "pieces",
        [(End, GET), (End, GET[:9], GET[9:]), (GET[:9], End, GET[9:]), (GET[:9], End, GET[9:20], GET[20:])],
        ids=["comes", "comes in pieces", "has begun", "has begun and comes in pieces"],
    )
    @pytest.mark.parametrize("before", [(), (GET,)], ids=["new", "used"])
    def test_an_incoming_request_is_answered_as_the_last(
        self, before: tuple[bytes, ...], pieces: tuple[bytes | type[End], ...]
    ) -> None:
        assert answered(hello, *before, *pieces).writes == [HELLO] * len(before) + [LAST_HELLO]

    def test_the_current_request_is_answered_as_the_last(self) -> None:
        head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n"
        assert answered(reading, head, End, b"body").writes == [LAST_HELLO]

    def test_of_several_at_once_all_are_answered(self) -> None:
        assert answered(hello, GET + GET, End).writes == [HELLO, LAST_HELLO]

    @pytest.mark.parametrize("before", [(), (GET,)], ids=["new", "used"])
    def test_an_idle_connection_is_closed(self, monkeypatch: pytest.MonkeyPatch, before: tuple[bytes, ...]) -> None:
        monkeypatch.setattr(server, "LAST_CHANCE_SECONDS", 0.01)
        transport = answered(hello, *before, End)
        assert (transport.writes, transport.is_closing()) == ([HELLO] * len(before), True)
