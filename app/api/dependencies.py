"""What the routes are given."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, Request

from app.api.admission import refuse_if_busy
from app.api.problems import WRONG_KEY, ApiError
from app.inference.store import ModelStore
from app.settings import Settings

T = TypeVar("T")


async def get_store(request: Request) -> ModelStore:
    """The models of this application."""
    store: ModelStore = request.app.state.store
    return store


StoreDep = Annotated[ModelStore, Depends(get_store)]


def check_api_key(request: Request) -> None:
    """Refuse a request without the key, where one is set: `Authorization: Bearer KEY` or `X-API-Key: KEY`.

    Raises:
        ApiError: the key is missing or wrong.
    """
    settings: Settings = request.app.state.settings
    if settings.api_key is None:
        return
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    sent = credentials.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    if not secrets.compare_digest(sent.encode("latin-1"), settings.api_key.get_secret_value().encode()):
        raise ApiError(HTTPStatus.UNAUTHORIZED, WRONG_KEY, {"WWW-Authenticate": "Bearer"})


async def in_worker_thread(request: Request, work: Callable[[], T]) -> T:
    """Do work that would block the event loop, at most as many at a time as `OCR_THREADS` says.

    Raises:
        ApiError: 503, too many are waiting.
    """
    limiter: anyio.CapacityLimiter = request.app.state.thread_limiter
    refuse_if_busy(limiter.statistics().tasks_waiting, request.app.state.settings.max_waiting)
    return await run_sync(work, limiter=limiter)
