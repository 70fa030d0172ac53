"""The load generator of the fault and soak benchmarks: every upload is counted, answered or not."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from benchmarks.load import LOST, Load, send_load
from tests.waiting import GENEROUS_SECONDS
from tests.web_server import serving


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    statuses: list[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
        if status == LOST:
            self.close_connection = True
            return
        body = b'{"text":"abc"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def answering(*statuses: int) -> Iterator[int]:
    """Run a server that answers with these statuses in order, and then repeats the last."""
    handler = type("Handler", (Answers,), {"statuses": list(statuses)})
    with serving(handler) as address:
        yield int(address.rpartition(":")[2])


class ShortLoad(Load):
    """Ends after a number of answers, however long a busy machine takes for them."""

    ENOUGH = 20

    def add(self, status: int, seconds: float, body: bytes) -> None:
        super().add(status, seconds, body)
        self.stopped = sum(map(len, self.answers.values())) >= self.ENOUGH


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all loads that short."""
    monkeypatch.setattr("benchmarks.load.Load", ShortLoad)


@pytest.mark.usefixtures("short")
def test_every_answer_is_counted_by_its_status() -> None:
    with answering(200) as port:
        load = send_load(port, b"image", connections=3, seconds=GENEROUS_SECONDS)
    assert load.count(200) >= ShortLoad.ENOUGH
    assert load.texts == {b"abc": load.count(200)}
    assert load.count(LOST) == 0
    assert 0 < load.percentile(200, 0.5) <= load.percentile(200, 0.99)


@pytest.mark.usefixtures("short")
def test_a_closed_connection_is_reopened_and_a_lost_request_is_counted() -> None:
    with answering(503, LOST, 200) as port:
        load = send_load(port, b"image", connections=1, seconds=GENEROUS_SECONDS)
    assert (load.count(503), load.count(LOST), load.count(200)) == (1, 1, ShortLoad.ENOUGH - 2)


def test_a_load_ends_when_its_time_is_over() -> None:
    with answering(200) as port:
        assert send_load(port, b"image", connections=1, seconds=0.1).stopped


def test_percentiles() -> None:
    load = Load({200: [0.001 * number for number in range(1, 101)]})
    assert load.percentile(200, 0.5) == pytest.approx(51)
    assert load.percentile(200, 0.99) == pytest.approx(100)
    assert math.isnan(load.percentile(503, 0.99))
