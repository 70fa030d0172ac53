"""The short way to the routes that are asked most."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Request, Response
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]


class ShortcutMiddleware:
    """Leads POST requests for some paths straight to what answers them, whose errors become problems as elsewhere.

    The way through FastAPI's router is open to them as well, and takes as long as a fifth of the network.
    """

    def __init__(self, app: ASGIApp, service: FastAPI, endpoints: Mapping[str, Endpoint]) -> None:
        """Begin.

        Args:
            app: answers all other requests.
            service: has the handlers of errors.
            endpoints: by path.
        """
        self.app = app
        handlers = service.exception_handlers
        self._ends = {path: ExceptionMiddleware(_to_asgi(end), handlers) for path, end in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] == "http" and scope["method"] == "POST":
            await self._ends.get(scope["path"], self.app)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _to_asgi(endpoint: Endpoint) -> ASGIApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return respond
