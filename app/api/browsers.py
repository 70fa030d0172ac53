"""Browser security: response headers, allowed host names, allowed origins."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.health import PROBES
from app.api.problems import REQUEST_ID_HEADER, problem_response

ANY = "*"
STATIC = "/static"
"""Path of the files of the page at `/`."""
UNKNOWN_HOST = "This service does not answer to the host in the Host header; OCR_ALLOWED_HOSTS lists its hosts."

_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_DOCUMENTATION = ("/docs", "/static-offline-docs/")
_DOCUMENTATION_HEADERS = [
    *_SAFE,
    # The page has an inline script and styles, and data: URLs as images.
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
_PAGE_HEADERS = [
    *_SAFE,
    (b"cache-control", b"no-cache"),  # cached but revalidated: the files must match each other
    # All files come from this service; blob: URLs are the user's images.
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        b"require-trusted-types-for 'script'; trusted-types 'none'",
    ),
]
ANSWER_HEADERS = [
    *_SAFE,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


def security_headers(path: str) -> list[tuple[bytes, bytes]]:
    """Return the security headers for responses at a path; pages may run their scripts and be cached."""
    if path == "/" or path.startswith(f"{STATIC}/"):
        return _PAGE_HEADERS
    return _DOCUMENTATION_HEADERS if path.startswith(_DOCUMENTATION) else ANSWER_HEADERS


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Allow pages of other origins to call the service (CORS)."""
    app.add_middleware(
        _Cors,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID_HEADER],
        expose_headers=["Retry-After", REQUEST_ID_HEADER],
    )


class _Cors(CORSMiddleware):
    """Starlette's middleware with preflight refusals as problem documents instead of plain text."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Allow the request, or refuse its origin, method or headers."""
        response = super().preflight_response(request_headers)
        return response if response.status_code == HTTPStatus.OK else _Refusal(response.body)


class _Refusal(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"{bytes(self.body).decode()}; see OCR_CORS_ORIGINS and /docs for what this service allows."
        await problem_response(Request(scope), HTTPStatus.BAD_REQUEST, detail)(scope, receive, send)


class AllowedHostsMiddleware:
    """Middleware that refuses requests for other hosts, as a web page can send by DNS rebinding.

    Probes are exempt, since orchestrators call by address. Starlette's TrustedHostMiddleware would refuse them, in
    plain text.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._names = {host.lower() for host in hosts}
        self._endings = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http" or scope["path"] in PROBES or self._is_allowed(scope):
            await self.app(scope, receive, send)
        else:
            refusal = problem_response(Request(scope), HTTPStatus.BAD_REQUEST, UNKNOWN_HOST)
            await refusal(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"host"), b"")
        parts = _HOST.fullmatch(sent.decode("latin-1").lower())
        return parts is not None and (parts[1] in self._names or parts[1].endswith(self._endings or ("\0",)))
