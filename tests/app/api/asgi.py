"""Concurrent requests to the service in the same event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from app.serving.application import create_app
from app.settings import Settings


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the service, whose request bodies may be sent slowly."""
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client
