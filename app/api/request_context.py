"""Request id, metrics, log line and error response of every request."""

import os
import re
import time
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.browsers import security_headers
from app.api.health import PROBES
from app.api.metrics import METRICS_PATH
from app.api.problems import REQUEST_ID_HEADER, SERVER_FAULT, problem_response
from app.api.service import Service
from app.observability.logs import get_logger

SAFE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
HEADER = REQUEST_ID_HEADER.lower().encode()
POLLED_PATHS = {*PROBES, METRICS_PATH}
"""Paths that monitoring polls every few seconds; logged at level debug."""
OTHER_ROUTE = "other"
ENDED = "ended"
"""Key in the state of a request that has been counted and logged."""

log = get_logger("app.requests")


class RequestContextMiddleware:
    """Middleware that gives each request an id, from `X-Request-ID` or generated, counts it and logs it.

    The request is counted and logged before the end of the response is sent. A client with a complete response then
    finds its request in `/metrics` of any worker, even if this process is killed at once.

    An unhandled exception is logged and answered with status 500.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        service: Service = scope["app"].state.service
        seen_by_app = _simplified(scope)
        fields = {"request_id": request_id, "method": scope["method"], "path": scope["path"]}
        status: int | None = None
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [
                    *message.get("headers", ()),
                    *security_headers(scope["path"]),
                    (HEADER, request_id.encode()),
                ]
                if service.stopping.is_set():
                    # The client's next request should go to another replica.
                    message["headers"].append((b"connection", b"close"))
            elif not message.get("more_body"):
                _record_end(seen_by_app, fields, status, started)
            await send(message)

        try:
            await self.app(seen_by_app, receive, send_with_id)
        except ClientDisconnect:
            pass  # no response possible
        except Exception:
            log.exception("request failed", **fields)
            if status is not None:
                raise
            fault = problem_response(Request(scope), HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT)
            await fault(scope, receive, send_with_id)
        finally:
            service.bodies.release(scope)
            _record_end(seen_by_app, fields, status, started)  # also for incomplete responses


def _record_end(scope: Scope, fields: dict[str, str], status: int | None, started: float) -> None:
    """Count and log a request, once."""
    state = scope["state"]
    if ENDED in state:
        return
    state[ENDED] = True
    seconds = time.perf_counter() - started
    route = getattr(scope.get("route"), "path", OTHER_ROUTE)  # the template, not the path of the request
    scope["app"].state.service.metrics.count_request(route, status, seconds, state.get("work"))
    write_line = log.debug if scope["path"] in POLLED_PATHS else log.info
    write_line("request", **fields, status=status, milliseconds=round(1000 * seconds, 2))


def _simplified(scope: Scope) -> Scope:
    """Return the scope without features that RFC 9110 lets a server ignore.

    HEAD is handled as GET; the server drops the body. Range is ignored, since errors about ranges would not be
    problem documents. So is a trailing slash.
    """
    path = scope["path"]
    if len(path) > 1 and path.endswith("/"):
        scope = {**scope, "path": path[:-1]}
    if scope["method"] != "HEAD" and b"range" not in dict(scope["headers"]):
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "headers": headers}


def _request_id(scope: Scope) -> str:
    sent = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return sent.decode() if SAFE_REQUEST_ID.fullmatch(sent) else os.urandom(16).hex()
