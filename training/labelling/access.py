"""Access control: only the user who started the command may use the page, in their own browser.

Listening on 127.0.0.1 is not enough. Other users of the machine can connect, and so can any web page in the same
browser: by cross-origin requests, or as the same origin if its host name resolves to 127.0.0.1 (DNS rebinding).
Therefore
- every path except scripts and styles begins with a random token, which only the command prints;
- the browser is opened at a one-time address that redirects to the token's, because command lines are visible to all
  users of a machine;
- the Host header must name this machine, and requests that change something must not come from another origin;
- no Referer contains the token, and the page loads, runs and sends only its own content (Content-Security-Policy).
"""

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from training.labelling.problems import problem

HOST = "127.0.0.1"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
WRONG_ADDRESS = "This is not the address of the running labelling command. Open the address that it printed."
ANOTHER_ORIGIN = "Only the labelling page itself may do this."
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Access:
    """The secrets of one start of the command.

    Attributes:
        token: first part of all paths.
        invitation: last part of the one-time address.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe()
        self.invitation = secrets.token_urlsafe()
        self._invited = False

    def check(self, token: str) -> None:
        """Raise `HTTPException` for a wrong token."""
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN, WRONG_ADDRESS)

    def redeem(self, invitation: str) -> None:
        """Accept an invitation, once; raise `HTTPException` if it is wrong or was used before."""
        if self._invited or not secrets.compare_digest(invitation.encode(), self.invitation.encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN, WRONG_ADDRESS)
        self._invited = True


def protect(app: FastAPI) -> None:
    """Reject requests with other hosts' names and from other origins, and add security headers to every response."""

    @app.middleware("http")
    async def check_origin(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        origin = request.headers.get("origin")
        own = f"http://{request.headers['host']}"
        if request.method not in SAFE_METHODS and origin not in {None, own}:
            response: Response = problem(HTTPStatus.FORBIDDEN, ANOTHER_ORIGIN)
        else:
            response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
