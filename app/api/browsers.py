"""What browsers are told, and who may call from them: security headers, the names of this host, other origins."""

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
"""Where the files are that the page at / is made of."""
ANOTHER_HOST = "The Host header names no host that this service answers for; send one of those in OCR_ALLOWED_HOSTS."

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
    # Its page sets itself up in a script and styles of its own, and draws with data: URLs.
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
_PAGE_HEADERS = [
    *_SAFE,
    (b"cache-control", b"no-cache"),  # kept, but asked for anew: its files must fit each other
    # All that it has are files of this service; blob: are the images that its user chose.
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
    """The headers for every answer to requests for a path; pages may run their scripts and be cached."""
    if path == "/" or path.startswith(f"{STATIC}/"):
        return _PAGE_HEADERS
    return _DOCUMENTATION_HEADERS if path.startswith(_DOCUMENTATION) else ANSWER_HEADERS


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of other origins call the service (CORS); without this, browsers do not let them."""
    app.add_middleware(
        _Cors,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID_HEADER],
        expose_headers=["Retry-After", REQUEST_ID_HEADER],
    )


class _Cors(CORSMiddleware):
    """Starlette's, but for the refusal of what a browser is about to send, which it writes as plain text."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Allow it, or say what of it is not allowed: its origin, method or headers."""
        response = super().preflight_response(request_headers)
        return response if response.status_code == HTTPStatus.OK else _Refusal(response.body)


class _Refusal(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"{bytes(self.body).decode()}; this service allows what OCR_CORS_ORIGINS and /docs say."
        await problem_response(Request(scope), HTTPStatus.BAD_REQUEST, detail)(scope, receive, send)


class AllowedHostsMiddleware:
    """Refuses requests for other hosts, which a page gets a browser to send by giving this address its own name.

    Probes are answered: orchestrators call by address. Starlette's TrustedHostMiddleware refuses them too, and in plain
    text instead of a problem.
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
            refusal = problem_response(Request(scope), HTTPStatus.BAD_REQUEST, ANOTHER_HOST)
            await refusal(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"host"), b"")
        parts = _HOST.fullmatch(sent.decode("latin-1").lower())
        return parts is not None and (parts[1] in self._names or parts[1].endswith(self._endings or ("\0",)))
