"""Who may use the page: whoever started the command, in their browser, and nobody else on the machine or the web.

The server listens on 127.0.0.1 alone, but that is not enough. Other users of the machine can connect to it; so can any
page of the web in the same browser, by a request across origins, or as the same origin, by giving its own name this
address (DNS rebinding). Therefore

- every path but those of scripts and styles begins with a token made at the start, which only the command prints;
- a browser is opened at another address, good for one visit, which leads on to the one with the token, because
  all users of a machine can see the command lines of all processes;
- requests must name this machine as their host, and those that change something must not come from another origin;
- the token is in no Referer, and the page loads, runs and sends nothing but its own (Content-Security-Policy).
"""

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from training.labelling.problems import problem

HOST = "127.0.0.1"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
WRONG_ADDRESS = "This is not the address of the labelling that runs now. Open the one that its command printed."
ANOTHER_ORIGIN = "Only the page of this labelling may do this."
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
    """The secrets of a start of the command.

    Attributes:
        token: what paths begin with.
        invitation: what the address begins with that a browser is opened at.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe()
        self.invitation = secrets.token_urlsafe()
        self._invited = False

    def check(self, token: str) -> None:
        """Refuse a path that does not begin with the token.

        Raises:
            HTTPException: it does not.
        """
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN, WRONG_ADDRESS)

    def redeem(self, invitation: str) -> None:
        """Let the browser in that was opened.

        Raises:
            HTTPException: it is another invitation, or somebody has come in by it already.
        """
        if self._invited or not secrets.compare_digest(invitation.encode(), self.invitation.encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN, WRONG_ADDRESS)
        self._invited = True


def protect(app: FastAPI) -> None:
    """Refuse requests under other hosts' names and from other origins, and say in every answer what it may do."""

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
