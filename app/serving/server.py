"""What uvicorn leaves open: slow senders, heads without end, its own errors as problems, heads sent before bodies."""

import asyncio
import json
import uuid
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.browsers import ANSWER_HEADERS
from app.api.problems import MEDIA_TYPE, REQUEST_ID_HEADER, Problem
from app.settings import Settings

MAX_HEAD_BYTES = 65_536
"""How long request line and headers may become; what comes at once is as long as the socket gives at once."""
NOT_HTTP = "This is no HTTP request."
HEAD_TOO_LARGE = f"The request line and headers are too long: at most {MAX_HEAD_BYTES:,} bytes."
HEAD_TOO_SLOW = "The request line and headers did not arrive in time."
BODY_TOO_SLOW = "The body did not arrive in time."
LAST_CHANCE_SECONDS = 1.0
"""How long a connection without a request stays open when the process ends: one may be on its way."""

log = structlog.get_logger("app.server")


class DeadlineProtocol(HttpToolsProtocol):
    """An HTTP/1.1 connection that is closed when its sender keeps it waiting.

    A request that comes in one piece, as nearly all do, costs no timer.
    """

    head_seconds: ClassVar[float] = 10
    body_seconds: ClassVar[float] = 30

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._waits_for = ""  # "head", "body", or nothing between requests
        self._head_bytes = 0
        self._is_last = False  # no request is taken after the one that is under way or comes next

    @classmethod
    def configure(cls, settings: Settings) -> None:
        """Take the deadlines of the settings, for this process."""
        cls.head_seconds, cls.body_seconds = settings.head_timeout, settings.body_timeout

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait(HEAD_TOO_SLOW, self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait for the rest of it if there is one."""
        before = self._waits_for
        super().data_received(data)
        if self._waits_for == "head":
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HEAD_TOO_LARGE)
        if self.transport.is_closing() or (self._waits_for and self._waits_for == before):
            return  # the deadline stands, however many pieces come
        self._stop_waiting()
        if self._waits_for == "head":
            self._wait(HEAD_TOO_SLOW, self.head_seconds)
        elif self._waits_for == "body":
            self._wait(BODY_TOO_SLOW, self.body_seconds)

    def shutdown(self) -> None:
        """Answer the request that is under way or on its way, if there is one, and close the connection."""
        self._is_last = True
        if self._waits_for == "body" or self._is_answering():
            super().shutdown()
        elif not self._waits_for:
            self._stop_waiting()
            self._deadline = self.loop.call_later(LAST_CHANCE_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._waits_for, self._head_bytes = "head", 0

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._waits_for = "body"
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False
        if self.scope["method"] != "HEAD":
            self.cycle.transport = HeadWithBody(self.cycle)

    def on_message_complete(self) -> None:
        """It is all there."""
        self._waits_for = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request."""
        self._refuse(HTTPStatus.BAD_REQUEST, NOT_HTTP)

    def _is_answering(self) -> bool:
        if self.cycle is None:
            return False
        return self.cycle.response_started if self._waits_for == "body" else not self.cycle.response_complete

    def _wait(self, complaint: str, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._refuse, HTTPStatus.REQUEST_TIMEOUT, complaint)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer with a problem, unless an answer is on its way already, and close the connection."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if not self._is_answering():
            request_id = uuid.uuid4().hex
            log.info("refused", status=int(status), request_id=request_id, reason=detail)
            self.transport.write(_refusal(status, detail, request_id))
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


def _refusal(status: HTTPStatus, detail: str, request_id: str) -> bytes:
    problem = Problem(title=status.phrase, status=status, detail=detail, instance="/", request_id=request_id)
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
