"""What surrounds every request: its id, its log line, and an answer whatever goes wrong."""

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
QUIET = {*PROBES, METRICS_PATH}
"""What machines ask for every few seconds: logged at level debug."""
OTHER_ROUTE = "other"
ENDED = "ended"
"""In the state of a request that has been counted and has its log line."""

log = get_logger("app.requests")


class RequestContextMiddleware:
    """Gives a request its id, taken from `X-Request-ID` or made, counts it and writes one log line for it.

    Both is done before the last of the answer goes out: who has been answered finds the request counted, whichever
    worker he asks, also where the process is killed at once.

    An exception that nothing else handled is logged and answered with a problem of status 500.
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
        asked = {"request_id": request_id, "method": scope["method"], "path": scope["path"]}
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
                    message["headers"].append((b"connection", b"close"))  # the next request had better go elsewhere
            elif not message.get("more_body"):
                _note_end(seen_by_app, asked, status, started)
            await send(message)

        try:
            await self.app(seen_by_app, receive, send_with_id)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except Exception:
            log.exception("request failed", **asked)
            if status is not None:
                raise
            fault = problem_response(Request(scope), HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT)
            await fault(scope, receive, send_with_id)
        finally:
            service.bodies.release(scope)
            _note_end(seen_by_app, asked, status, started)  # also what was not answered to the end


def _note_end(scope: Scope, asked: dict[str, str], status: int | None, started: float) -> None:
    """Count a request and write its line, unless that has been done."""
    state = scope["state"]
    if ENDED in state:
        return
    state[ENDED] = True
    seconds = time.perf_counter() - started
    scope["app"].state.service.metrics.count_request(_route(scope), status, seconds, state.get("work"))
    write_line = log.debug if scope["path"] in QUIET else log.info
    write_line("request", **asked, status=status, milliseconds=round(1000 * seconds, 2))


def _simplified(scope: Scope) -> Scope:
    """The request without what RFC 9110 lets a server ignore, or the server does for us.

    A HEAD is answered as a GET, whose body the server leaves away. Ranges of a few scripts are not worth their
    errors, which are no problem documents. A slash at the end of a path says nothing.
    """
    path = scope["path"]
    if len(path) > 1 and path.endswith("/"):
        scope = {**scope, "path": path[:-1]}
    if scope["method"] != "HEAD" and b"range" not in dict(scope["headers"]):
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "headers": headers}


def _route(scope: Scope) -> str:
    """Return the path of the route that took a request, with names for parameters: one of those that there are."""
    route = scope.get("route")
    return OTHER_ROUTE if route is None else route.path


def _request_id(scope: Scope) -> str:
    sent = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return sent.decode() if SAFE_REQUEST_ID.fullmatch(sent) else os.urandom(16).hex()
