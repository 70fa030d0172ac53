"""One reading before the first request, so that the first is as fast as the next."""

from fastapi import FastAPI
from starlette.types import Message

from app.api.examples import EXAMPLE_IMAGE
from app.api.request_context import UNCOUNTED
from app.inference.models.store import UnknownModelError


async def warm_up(app: FastAPI) -> None:
    """Send the example image to `/predict`, with the request id `warm-up`.

    It starts the threads, fills the caches and loads what is loaded on first use.
    """
    settings, store = app.state.settings, app.state.store
    key = next(iter(settings.api_keys), "")
    host = settings.hosts[0].replace("*", "warm-up")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", host.encode()),
            (b"content-type", b"image/png"),
            (b"x-api-key", key.encode()),
            (b"x-request-id", b"warm-up"),
        ],
        "state": {UNCOUNTED: True},
        "client": None,
        "server": None,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": EXAMPLE_IMAGE, "more_body": False}

    async def send(message: Message) -> None:
        pass

    try:
        store.get()
    except UnknownModelError:
        return
    await app(scope, receive, send)
