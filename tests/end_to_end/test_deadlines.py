"""Senders that keep the service waiting, and what is no HTTP: answered with a problem, and hung up on."""

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.end_to_end.conftest import Server
from tests.end_to_end.wire import Wire

SECONDS = 2.0
PREDICT = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
Connect = Callable[[Server], Wire]
RunServer = Callable[..., Server]


@pytest.fixture(scope="module")
def impatient_of_heads(run_module_server: RunServer) -> Server:
    """A service that waits no longer than a moment for what comes before a body."""
    return run_module_server(OCR_HEAD_TIMEOUT=str(SECONDS))


@pytest.fixture(scope="module")
def impatient_of_bodies(run_module_server: RunServer) -> Server:
    """A service that waits no longer than a moment for a body."""
    return run_module_server(OCR_BODY_TIMEOUT=str(SECONDS))


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(closing(Wire(server.port)))


def problem_of(wire: Wire, status: int) -> dict[str, Any]:
    """The problem that the service ends the connection with."""
    got, headers, body = wire.answer()
    assert got == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert wire.is_closed()
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status
    assert problem["request_id"] == headers["x-request-id"]
    return problem


def test_a_silent_connection_is_closed(connect: Connect, impatient_of_heads: Server) -> None:
    problem = problem_of(connect(impatient_of_heads), 408)
    assert "headers did not arrive in time" in problem["detail"]


def test_a_head_that_drips_in_is_not_waited_for(connect: Connect, impatient_of_heads: Server) -> None:
    wire = connect(impatient_of_heads)
    wire.drip(PREDICT, SECONDS / 8)
    problem_of(wire, 408)


def test_a_body_that_drips_in_is_not_waited_for(connect: Connect, impatient_of_bodies: Server) -> None:
    wire = connect(impatient_of_bodies)
    wire.send(PREDICT + b"Content-Length: 1000\r\n\r\n")
    wire.drip(b"x" * 100, SECONDS / 8)
    problem = problem_of(wire, 408)
    assert "body did not arrive in time" in problem["detail"]
    impatient_of_bodies.wait_for_log(problem["request_id"])


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes are not stopped here")
def test_what_came_while_the_process_was_stopped_is_read(
    connect: Connect, impatient_of_bodies: Server, samples: dict[str, bytes]
) -> None:
    image = samples["ef2ec"]
    began = -math.inf
    while time.monotonic() - began > SECONDS / 2:  # so late, the deadline may have come before the process is stopped
        impatient_of_bodies.process.send_signal(signal.SIGCONT)
        began, wire = time.monotonic(), connect(impatient_of_bodies)
        wire.send(PREDICT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(image))
        assert wire.answer()[0] == 100
        impatient_of_bodies.process.send_signal(signal.SIGSTOP)
    wire.send(image)
    time.sleep(2 * SECONDS)  # longer than the deadline, by the clock that it is kept by
    impatient_of_bodies.process.send_signal(signal.SIGCONT)
    assert wire.text() == "ef2ec"


def test_a_body_without_end_is_hung_up_on_after_its_answer(connect: Connect, impatient_of_bodies: Server) -> None:
    wire = connect(impatient_of_bodies)
    wire.send(PREDICT + b"Content-Length: 100000000\r\n\r\n" + b"x" * 1000)
    assert wire.answer()[0] == 413
    assert wire.is_closed()


def test_a_head_without_end_is_refused(connect: Connect, shared_server: Server) -> None:
    wire = connect(shared_server)
    wire.send(PREDICT)
    for index in range(66):  # the last is the one too many: who sends more may be hung up on first
        wire.send(b"X-Padding-%02d: %b\r\n" % (index, b"x" * 986))
    assert "at most 65,536 bytes" in problem_of(wire, 431)["detail"]


@pytest.mark.parametrize("nonsense", [b"no HTTP\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n"])
def test_what_is_no_http_is_told_so(connect: Connect, shared_server: Server, nonsense: bytes) -> None:
    wire = connect(shared_server)
    wire.send(nonsense)
    assert "not an HTTP request" in problem_of(wire, 400)["detail"]


def test_a_request_in_pieces_is_read(connect: Connect, shared_server: Server, samples: dict[str, bytes]) -> None:
    image, wire = samples["ef2ec"], connect(shared_server)
    for piece in (PREDICT, b"Content-Length: %d\r\n\r\n" % len(image), image[:1000]):
        wire.send(piece)
        time.sleep(SECONDS / 4)
    wire.send(image[1000:])
    assert wire.text() == "ef2ec"


def test_a_connection_may_rest_between_requests(
    connect: Connect, impatient_of_heads: Server, samples: dict[str, bytes]
) -> None:
    image, wire = samples["ef2ec"], connect(impatient_of_heads)
    for _ in range(2):
        wire.send(PREDICT + b"Content-Length: %d\r\n\r\n" % len(image) + image)
        assert wire.text() == "ef2ec"
        time.sleep(1.25 * SECONDS)
