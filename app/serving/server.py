"""Uvicorn's HTTP protocol with deadlines, limits for headers and trailers, errors as problems, and no upgrades."""

import asyncio
import json
import re
import uuid
from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.browsers import ANSWER_HEADERS
from app.api.problems import MEDIA_TYPE, REQUEST_ID_HEADER, Problem
from app.observability.logs import get_logger
from app.settings import Settings

MAX_HEAD_BYTES = 65_536
"""Maximum size of the request line and headers, and of the trailers of a body."""
LATE_SECONDS = 0.5
"""A timer fires this late only if the process was stopped or got no CPU time."""
LAST_CHANCE_SECONDS = 1.0
"""Time that idle connections stay open at shutdown, since a request may be in transit."""

READING, WRITING = "reading", "writing"
"""Timers of a connection."""

_HOST = re.compile(rb"(\[[0-9A-Za-z:.]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?", re.ASCII)  # RFC 3986, 3.2.2
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")

log = get_logger("app.server")


class Refusal(NamedTuple):
    """Response to a request that does not reach the application."""

    status: HTTPStatus
    detail: str


class RefusedError(Exception):
    """Ends the parsing of a request with a `Refusal`."""


NOT_HTTP = Refusal(HTTPStatus.BAD_REQUEST, "This is not an HTTP request.")
ONE_HOST = Refusal(
    HTTPStatus.BAD_REQUEST, "Send one Host header (RFC 9112, 3.2); with an absolute URL, it must name the same host."
)
NO_TUNNELS = Refusal(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is not supported: this is not a proxy.")
OTHER_CODING = Refusal(
    HTTPStatus.NOT_IMPLEMENTED, "The only supported Transfer-Encoding is chunked, and only in HTTP/1.1."
)
OTHER_VERSION = Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Send HTTP/1.1 or HTTP/1.0.")
HEAD_TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request line and headers did not arrive in time.")
BODY_TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The request line and headers are too long: at most {MAX_HEAD_BYTES:,} bytes.",
)
TRAILERS_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The trailers of the body are too long: at most {MAX_HEAD_BYTES:,} bytes.",
)


class DeadlineProtocol(HttpToolsProtocol):
    """HTTP/1.1 connection that is closed if its client is too slow.

    A request that arrives in one piece, as nearly all do, sets no timer. If a request is refused, complete requests
    before it are answered first.
    """

    head_seconds: ClassVar[float] = 10
    body_seconds: ClassVar[float] = 30

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._waits_for = ""  # "head", "body", or "" between requests
        self._incomplete_bytes = 0  # of an incomplete head or incomplete trailers
        self._is_incomplete = False  # whether all of the last data belongs to it
        self._trailer_bytes = 0  # in the last data
        self._requests_begun = 0  # requests so far
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._final_response: bytes | None = None  # sent after the responses to complete requests, before closing
        self._is_last = False  # whether to close after the current or next request

    @classmethod
    def configure(cls, settings: Settings) -> None:
        """Set the deadlines for this process."""
        cls.head_seconds, cls.body_seconds = settings.head_timeout, settings.body_timeout

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # pause as soon as the client stops reading
        self._start_timer(READING, self.head_seconds, partial(self._refuse, HEAD_TOO_SLOW))

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers and notify all requests; uvicorn notifies only the last."""
        self._stop_timer(READING)
        self._stop_timer(WRITING)
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, and set a deadline if a request is incomplete."""
        if self._final_response is not None:
            return
        self._unset_keepalive_if_required()
        before, self._is_incomplete, self._trailer_bytes = (self._requests_begun, self._waits_for), True, 0
        self._parse(data)
        if self._waits_for:
            self._incomplete_bytes += len(data) if self._is_incomplete else self._trailer_bytes
            if self._incomplete_bytes > MAX_HEAD_BYTES:
                self._refuse(TRAILERS_TOO_LARGE if self._waits_for == "body" else HEAD_TOO_LARGE)
        if self.transport.is_closing() or self._final_response is not None:
            return
        if self._waits_for and before == (self._requests_begun, self._waits_for):
            return  # more pieces do not extend the deadline
        self._stop_timer(READING)
        if self._waits_for == "head":
            self._start_timer(READING, self.head_seconds, partial(self._refuse, HEAD_TOO_SLOW))
        elif self._waits_for == "body":
            self._start_timer(READING, self.body_seconds, partial(self._refuse, BODY_TOO_SLOW))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer complete requests of a client that has stopped sending but may still read."""
        if self._is_answering() and self._final_response is None:
            self._finish_with(b"")
        return self._is_answering()

    def pause_writing(self) -> None:
        """Set a deadline for the client to read the response."""
        super().pause_writing()
        if WRITING not in self._timers:
            self._start_timer(WRITING, self.body_seconds, self._abort)

    def resume_writing(self) -> None:
        """Cancel the deadline."""
        self._stop_timer(WRITING)
        super().resume_writing()

    def shutdown(self) -> None:
        """Answer the current or next request, if there is one, and close the connection."""
        self._is_last = True
        if self._waits_for == "body" or self._unanswered:
            super().shutdown()
        elif not self._waits_for:
            self._stop_timer(READING)
            self._timers[READING] = self.loop.call_later(LAST_CHANCE_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """Handle the start of a request."""
        super().on_message_begin()
        self._waits_for, self._incomplete_bytes = "head", 0
        self._requests_begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header; trailers are counted but discarded (RFC 9110, 6.5.1)."""
        if self._waits_for == "head":
            super().on_header(name, value.rstrip(b" \t"))  # llhttp strips only the start
            return
        self._trailer_bytes += _line_bytes(name, value)
        if self._incomplete_bytes + self._trailer_bytes > MAX_HEAD_BYTES:
            raise RefusedError(TRAILERS_TOO_LARGE)
        if self.cycle.keep_alive:  # otherwise llhttp ignores all later requests after the trailer "Connection: close"
            self.parser.set_dangerous_leniencies(lenient_keep_alive=True)

    def on_headers_complete(self) -> None:
        """Handle the end of the headers."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise RefusedError(NO_TUNNELS)
            return  # see _parse
        version = self.parser.get_http_version()
        _check_head(self.url, self.headers, version)
        if version == "1.0":
            self.expect_100_continue = False  # no 1xx for these clients (RFC 9110, 15.2)
        self.parser.set_dangerous_leniencies(lenient_keep_alive=False)
        super().on_headers_complete()
        self._waits_for, self._incomplete_bytes = "body", 0
        self._unanswered.append(self.cycle)
        if self._is_last:
            self.cycle.keep_alive = False
        if self.scope["method"] != "HEAD":
            self.cycle.transport = HeadWithBody(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Handle a part of the body."""
        self._is_incomplete, self._incomplete_bytes = False, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of a request."""
        if self.parser.should_upgrade():
            return
        self._waits_for, self._is_incomplete = "", False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Handle the end of a response."""
        self._unanswered.popleft()
        if self._final_response is not None and not self._unanswered:
            self._close_with(self._final_response)
        super().on_response_complete()

    def _parse(self, data: bytes) -> None:
        """Parse data, ignoring requests to upgrade.

        At an Upgrade header, httptools stops after the headers and takes the body for the other protocol. A server may
        ignore an upgrade (RFC 9110, 7.8), so a new parser gets the same head without that header, and then the rest.
        """
        rest = memoryview(data)
        while rest and (end_of_head := self._feed(rest)):
            rest = rest[end_of_head:]
            lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
            lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            self._feed(b"\r\n".join([*lines, b"", b""]))
            if self.transport.is_closing() or self._final_response is not None:
                return

    def _feed(self, data: bytes | memoryview) -> int:
        """Parse data; return the end of the head of a request to upgrade, or 0."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return upgrade.args[0]
        except httptools.HttpParserError as error:
            why = error.__context__  # what a callback raised
            self._refuse(why.args[0] if isinstance(why, RefusedError) else NOT_HTTP)
        return 0

    def _is_answering(self) -> bool:
        """Return whether complete requests are unanswered."""
        is_coming = self._waits_for == "body" and not self.cycle.response_complete
        return len(self._unanswered) > is_coming

    def _start_timer(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        due = self.loop.time() + seconds
        self._timers[name] = self.loop.call_at(due, self._on_timer, name, due, act)

    def _on_timer(self, name: str, due: float, act: Callable[[], None]) -> None:
        """Act; if this process was stopped, wait that long again for unread data."""
        late = self.loop.time() - due
        if late > LATE_SECONDS:
            self._start_timer(name, late, act)
        else:
            act()

    def _stop_timer(self, name: str) -> None:
        if name in self._timers:
            self._timers.pop(name).cancel()

    def _abort(self) -> None:
        log.info("closed: the client does not read its response")
        self.transport.abort()

    def _refuse(self, why: Refusal) -> None:
        """Answer the incomplete request with a problem, unless its response has started, and accept no more."""
        is_answered = self._waits_for == "body" and self.cycle.response_started
        if is_answered or self.transport.is_closing():
            self._finish_with(b"")
        else:
            request_id = uuid.uuid4().hex
            log.info("refused", status=int(why.status), request_id=request_id, reason=why.detail)
            self._finish_with(_refusal(why, request_id))

    def _finish_with(self, final_response: bytes) -> None:
        """Accept no more; close the connection once the requests before the incomplete one are answered."""
        self._stop_timer(READING)
        if not self._is_answering():
            self._close_with(final_response)
            return
        if self._waits_for == "body":
            self.pipeline.popleft()
            self._unanswered.pop()
            self._waits_for = ""
        self._final_response = final_response

    def _close_with(self, final_response: bytes) -> None:
        if final_response and not self.transport.is_closing():
            self.transport.write(final_response)
        self.transport.close()


class HeadWithBody(asyncio.Transport):
    """Transport that sends the head of a response together with the first part of its body.

    If the process were killed between the two, a proxy would have a partial response and could not retry on another
    replica. It also saves a system call.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        super().__init__()
        self._cycle, self._transport = cycle, cycle.transport
        self._head = b""

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Keep the head and send it with the next data; later data goes directly to the connection."""
        if not self._cycle.response_started:  # 100 Continue
            self._transport.write(data)
        elif not self._head:
            self._head = data
        else:
            self._cycle.transport = self._transport
            self._transport.write(self._head + data)

    def close(self) -> None:
        """Close the connection without sending a head that has no body yet."""
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closed or closing."""
        return self._transport.is_closing()


def _refusal(why: Refusal, request_id: str) -> bytes:
    status = why.status
    problem = Problem(title=status.phrase, status=status, detail=why.detail, instance="/", request_id=request_id)
    body = json.dumps(problem.model_dump()).encode()
    headers = {
        **{name.decode(): value.decode() for name, value in ANSWER_HEADERS},
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        REQUEST_ID_HEADER.lower(): request_id,
        "connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[status] + lines.encode() + b"\r\n" + body


def _check_head(url: bytes, headers: list[tuple[bytes, bytes]], version: str) -> None:
    """Raise `RefusedError` unless a head is short enough, and unambiguous to this server and a proxy in front of it."""
    if version not in {"1.0", "1.1"}:
        raise RefusedError(OTHER_VERSION)
    if len(url) + sum(_line_bytes(name, value) for name, value in headers) > MAX_HEAD_BYTES:
        raise RefusedError(HEAD_TOO_LARGE)
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if codings and (version == "1.0" or codings[0].lower() != b"chunked"):
        raise RefusedError(OTHER_CODING)
    hosts = [value for name, value in headers if name == b"host"]
    absolute = _ABSOLUTE.match(url)
    if (
        len(hosts) > 1
        or (not hosts and version == "1.1")
        or not all(map(_HOST.fullmatch, hosts))
        or (absolute and [absolute[1].lower()] != [host.lower() for host in hosts])
    ):
        raise RefusedError(ONE_HOST)


def _line_bytes(name: bytes, value: bytes) -> int:
    return len(name) + len(value) + len(b": \r\n")
