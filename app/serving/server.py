"""What uvicorn leaves open: slow senders and readers, upgrades, heads and trailers without end, errors as problems."""

import asyncio
import json
import re
import uuid
from collections import deque
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.browsers import ANSWER_HEADERS
from app.api.problems import MEDIA_TYPE, REQUEST_ID_HEADER, Problem
from app.observability.logs import get_logger
from app.settings import Settings

MAX_HEAD_BYTES = 65_536
"""How long request line and headers may be, and the trailers of a body."""
LATE_SECONDS = 0.5
"""So late nothing is done here, unless the process was stopped, or got no processor."""
LAST_CHANCE_SECONDS = 1.0
"""How long a connection without a request stays open when the process ends: one may be on its way."""

_HOST = re.compile(rb"(\[[0-9A-Za-z:.]+\]|[\w.~!$&'()*+,;=%-]*)(:[0-9]*)?", re.ASCII)  # RFC 3986, 3.2.2
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")

log = get_logger("app.server")


class Refusal(NamedTuple):
    """What a request is answered that the application does not see."""

    status: HTTPStatus
    detail: str


class RefusedError(Exception):
    """Ends the parsing of a request with a `Refusal`."""


NOT_HTTP = Refusal(HTTPStatus.BAD_REQUEST, "This is no HTTP request.")
ONE_HOST = Refusal(
    HTTPStatus.BAD_REQUEST, "Send one Host header (RFC 9112, 3.2); where the URL is absolute, the host in it."
)
NO_TUNNELS = Refusal(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is not served here: this is no proxy.")
OTHER_CODING = Refusal(
    HTTPStatus.NOT_IMPLEMENTED, "The only Transfer-Encoding that is read is chunked, and only in HTTP/1.1."
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
    """An HTTP/1.1 connection that is closed when its client keeps it waiting.

    A request that comes in one piece, as nearly all do, costs no timer. Whatever is wrong with a request, those that
    came whole before it are answered first.
    """

    head_seconds: ClassVar[float] = 10
    body_seconds: ClassVar[float] = 30

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._waits_for = ""  # "head", "body", or nothing between requests
        self._loose_bytes = 0  # of a head, or of trailers, that has not ended
        self._is_loose = False  # nothing else came last
        self._trailer_bytes = 0  # that came last
        self._begun = 0  # requests, ever
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._last_words: bytes | None = None  # said when all that came whole is answered, before closing
        self._is_last = False  # no request is taken after the one that is under way or comes next

    @classmethod
    def configure(cls, settings: Settings) -> None:
        """Take the deadlines of the settings, for this process."""
        cls.head_seconds, cls.body_seconds = settings.head_timeout, settings.body_timeout

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # writing pauses as soon as the client does not take what is written
        self._wait(HEAD_TOO_SLOW, self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more, and let all requests know; uvicorn tells the last of them only."""
        self._stop_waiting()
        self._stop_taking()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait for the rest of it if there is one."""
        if self._last_words is not None:
            return
        self._unset_keepalive_if_required()
        before, self._is_loose, self._trailer_bytes = (self._begun, self._waits_for), True, 0
        self._parse(data)
        if self._waits_for:
            self._loose_bytes += len(data) if self._is_loose else self._trailer_bytes
            if self._loose_bytes > MAX_HEAD_BYTES:
                self._refuse(TRAILERS_TOO_LARGE if self._waits_for == "body" else HEAD_TOO_LARGE)
        if self.transport.is_closing() or self._last_words is not None:
            return
        if self._waits_for and before == (self._begun, self._waits_for):
            return  # the deadline stands, however many pieces come
        self._stop_waiting()
        if self._waits_for == "head":
            self._wait(HEAD_TOO_SLOW, self.head_seconds)
        elif self._waits_for == "body":
            self._wait(BODY_TOO_SLOW, self.body_seconds)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what came whole to a client that sends no more, but may still read."""
        if self._is_answering() and self._last_words is None:
            self._end_with(b"")
        return self._is_answering()

    def pause_writing(self) -> None:
        """Give the client a time to take what is written."""
        super().pause_writing()
        if self._taking is None:
            self._let_take(self.body_seconds)

    def resume_writing(self) -> None:
        """All was taken."""
        self._stop_taking()
        super().resume_writing()

    def shutdown(self) -> None:
        """Answer the request that is under way or on its way, if there is one, and close the connection."""
        self._is_last = True
        if self._waits_for == "body" or self._unanswered:
            super().shutdown()
        elif not self._waits_for:
            self._stop_waiting()
            self._deadline = self.loop.call_later(LAST_CHANCE_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._waits_for, self._loose_bytes = "head", 0
        self._begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is there; trailers are taken for none (RFC 9110, 6.5.1)."""
        if self._waits_for == "head":
            super().on_header(name, value)
        else:
            self._trailer_bytes += _line_bytes(name, value)
            if self._loose_bytes + self._trailer_bytes > MAX_HEAD_BYTES:
                raise RefusedError(TRAILERS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise RefusedError(NO_TUNNELS)
            return  # see _parse
        _check_head(self.url, self.headers, self.parser.get_http_version())
        super().on_headers_complete()
        self._waits_for, self._loose_bytes = "body", 0
        self._unanswered.append(self.cycle)
        if self._is_last:
            self.cycle.keep_alive = False
        if self.scope["method"] != "HEAD":
            self.cycle.transport = HeadWithBody(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Some of its body is there."""
        self._is_loose, self._loose_bytes = False, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is all there."""
        if self.parser.should_upgrade():
            return
        self._waits_for, self._is_loose = "", False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered."""
        self._unanswered.popleft()
        if self._last_words is not None and not self._unanswered:
            self._close_with(self._last_words)
        super().on_response_complete()

    def _parse(self, data: bytes) -> None:
        """Let the parser take data.

        It ends a request that asks for another protocol at its headers, and would take the body for what is said in
        that protocol. Nobody has to agree to an upgrade (RFC 9110, 7.8): another parser gets the same head without
        the wish, and the rest.
        """
        rest = memoryview(data)
        while rest and (end_of_head := self._feed(rest)):
            rest = rest[end_of_head:]
            lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
            lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            self._feed(b"\r\n".join([*lines, b"", b""]))
            if self.transport.is_closing() or self._last_words is not None:
                return

    def _feed(self, data: bytes | memoryview) -> int:
        """Let the parser take data; return where the head ends of a request that asks for another protocol, or 0."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return upgrade.args[0]
        except httptools.HttpParserError as error:
            why = error.__context__  # what a callback raised
            self._refuse(why.args[0] if isinstance(why, RefusedError) else NOT_HTTP)
        return 0

    def _is_answering(self) -> bool:
        """Whether requests that came whole are unanswered."""
        is_coming = self._waits_for == "body" and not self.cycle.response_complete
        return len(self._unanswered) > is_coming

    def _wait(self, complaint: Refusal, seconds: float) -> None:
        due = self.loop.time() + seconds
        self._deadline = self.loop.call_at(due, self._end_waiting, complaint, due)

    def _end_waiting(self, complaint: Refusal, due: float) -> None:
        """Refuse what has not come; wait as long again as this process stood still, since it may lie there unread."""
        late = self.loop.time() - due
        if late > LATE_SECONDS:
            self._wait(complaint, late)
        else:
            self._refuse(complaint)

    def _let_take(self, seconds: float) -> None:
        due = self.loop.time() + seconds
        self._taking = self.loop.call_at(due, self._end_taking, due)

    def _end_taking(self, due: float) -> None:
        late = self.loop.time() - due
        if late > LATE_SECONDS:
            self._let_take(late)  # as above
            return
        log.info("closed: the client does not take its answer")
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _refuse(self, why: Refusal) -> None:
        """Answer the request that is coming with a problem, unless its answer is on its way, and take no more."""
        is_answered = self._waits_for == "body" and self.cycle.response_started
        if is_answered or self.transport.is_closing():
            self._end_with(b"")
        else:
            request_id = uuid.uuid4().hex
            log.info("refused", status=int(why.status), request_id=request_id, reason=why.detail)
            self._end_with(_refusal(why, request_id))

    def _end_with(self, last_words: bytes) -> None:
        """Take no more; close the connection once the requests before the one that is coming are answered."""
        self._stop_waiting()
        if not self._is_answering():
            self._close_with(last_words)
            return
        if self._waits_for == "body":
            self.pipeline.popleft()
            self._unanswered.pop()
            self._waits_for = ""
        self._last_words = last_words

    def _close_with(self, last_words: bytes) -> None:
        if last_words and not self.transport.is_closing():
            self.transport.write(last_words)
        self.transport.close()


class HeadWithBody(asyncio.Transport):
    """Where an answer is written: its head goes out with the first of its body, which ASGI leaves to the server.

    Of a process that is killed between the two, a proxy would have the beginning of an answer, and could not ask
    another replica any more. Besides, it is one system call in place of two.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        super().__init__()
        self._cycle, self._transport = cycle, cycle.transport
        self._head = b""

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Keep the head, and send it with what follows; all after that goes to the connection itself."""
        if not self._cycle.response_started:  # 100 Continue
            self._transport.write(data)
        elif not self._head:
            self._head = data
        else:
            self._cycle.transport = self._transport
            self._transport.write(self._head + data)

    def close(self) -> None:
        """Close the connection; a head without a body is not sent."""
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
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
    """Look whether a head is short enough, and cannot mean one thing here and another to a proxy in front.

    Raises:
        RefusedError: it is too long, or does.
    """
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
