"""A load generator: many connections, each sending its next upload after the answer and any `Retry-After`.

All answers are recorded.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import httpx
import uvloop

LOST = 0


@dataclass
class Load:
    """The results: latencies in seconds by status; status 0 stands for no answer.

    Attributes:
        answers: status → latencies in seconds.
        texts: number of answers by text read.
    """

    answers: dict[int, list[float]] = field(default_factory=dict)
    texts: Counter[bytes] = field(default_factory=Counter)
    stopped: bool = False

    def add(self, status: int, seconds: float, body: bytes) -> None:
        """Record an answer."""
        self.answers.setdefault(status, []).append(seconds)
        if status == 200:
            self.texts[body.partition(b'"text":"')[2].partition(b'"')[0]] += 1

    def count(self, status: int) -> int:
        """Return the number of answers with a status."""
        return len(self.answers.get(status, ()))

    def percentile(self, status: int, part: float) -> float:
        """Return a percentile of the latencies of a status in milliseconds; NaN if there were none."""
        times = sorted(self.answers.get(status, ()))
        return 1000 * times[min(len(times) - 1, int(part * len(times)))] if times else float("nan")


class _Sender(asyncio.Protocol):
    """A connection that sends its request repeatedly."""

    def __init__(self, request: bytes, load: Load, closed: asyncio.Future[None]) -> None:
        self._request, self._load, self._closed = request, load, closed
        self._received = b""
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lowered = head.lower()
        length = int(lowered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._waits = False
        self._load.add(int(head[9:12]), time.perf_counter() - self._sent, body)
        self._received = b""
        told_to_wait = float(lowered.partition(b"retry-after: ")[2].partition(b"\r\n")[0] or 0)
        if self._load.stopped or b"connection: close" in lowered:
            self._transport.close()
        else:
            asyncio.get_running_loop().call_later(told_to_wait, self._send)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._load.add(LOST, time.perf_counter() - self._sent, b"")
        if not self._closed.done():
            self._closed.set_result(None)

    def _send(self) -> None:
        if self._load.stopped or self._transport.is_closing():
            self._transport.close()
            return
        self._waits, self._sent = True, time.perf_counter()
        self._transport.write(self._request)


def upload_request(image: bytes, path: str = "/predict") -> bytes:
    """Return an HTTP request that uploads an image file as its body."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(image)}\r\n\r\n"
    return head.encode() + image


def form_request(images: Sequence[bytes], path: str = "/predict/batch") -> bytes:
    """Return an HTTP request that uploads image files in a form."""
    form = httpx.Request("POST", "http://localhost", files=[("files", ("image", image)) for image in images])
    body = form.read()
    kind = form.headers["Content-Type"]
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def send_for(load: Load, port: int, requests: Sequence[bytes], seconds: float, within: float = 0.0) -> None:
    """Upload on one connection per request, until the time is over or the load is stopped.

    The connections start one after another within `within` seconds. Connections that the server closes after an answer
    are reopened; refused ones end.
    """
    pause = within / len(requests)
    senders = (_keep_sending(load, port, request, number * pause) for number, request in enumerate(requests))
    await asyncio.gather(*senders, _stop_after(load, seconds))


async def _keep_sending(load: Load, port: int, request: bytes, delay: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(delay)
    while not load.stopped:
        closed = loop.create_future()
        try:
            await loop.create_connection(partial(_Sender, request, load, closed), "127.0.0.1", port)
        except OSError:
            return
        await closed


async def _stop_after(load: Load, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not load.stopped and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # another thread may stop it
    load.stopped = True


def send_load(port: int, image: bytes, connections: int, seconds: float, within: float = 0.0) -> Load:
    """Run `send_for` outside an event loop, with the same image on every connection."""
    load = Load()
    uvloop.run(send_for(load, port, [upload_request(image)] * connections, seconds, within))
    return load
