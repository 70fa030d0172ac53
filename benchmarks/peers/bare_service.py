"""An ASGI application that discards the body: the upper limit for any service on uvicorn.

uvicorn benchmarks.peers.bare_service:app
"""

from typing import Any

ANSWER = b'{"text":""}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer any request."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # uvicorn continues without a lifespan
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
