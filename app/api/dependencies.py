"""What the routes are given."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, Query, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from app.api.problems import WRONG_KEY, ApiError
from app.inference.images import ImageLimits
from app.inference.store import ModelStore, StoredModel
from app.settings import Settings

T = TypeVar("T")


def get_settings(request: Request) -> Settings:
    """The settings of this application."""
    settings: Settings = request.app.state.settings
    return settings


def get_store(request: Request) -> ModelStore:
    """The models of this application."""
    store: ModelStore = request.app.state.store
    return store


SettingsDep = Annotated[Settings, Depends(get_settings)]
StoreDep = Annotated[ModelStore, Depends(get_store)]


def get_model(
    store: StoreDep,
    model: Annotated[str | None, Query(description="The model's name.", examples=["captcha"])] = None,
    version: Annotated[str | None, Query(description="Its version; the newest if not given.")] = None,
) -> StoredModel:
    """The model that a request names, or the default."""
    return store.get(model, version)


def get_limits(request: Request) -> ImageLimits:
    """What images are accepted."""
    limits: ImageLimits = request.app.state.limits
    return limits


ModelDep = Annotated[StoredModel, Depends(get_model)]
LimitsDep = Annotated[ImageLimits, Depends(get_limits)]


def check_api_key(
    settings: SettingsDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    header: Annotated[str | None, Depends(APIKeyHeader(name="X-API-Key", auto_error=False))],
) -> None:
    """Refuse a request without the key, where one is set.

    Raises:
        ApiError: the key is missing or wrong.
    """
    if settings.api_key is None:
        return
    sent = bearer.credentials if bearer is not None else header or ""
    if not secrets.compare_digest(sent.encode("latin-1"), settings.api_key.get_secret_value().encode()):
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            WRONG_KEY,
            {"WWW-Authenticate": "Bearer"},
        )


async def in_worker_thread(request: Request, work: Callable[[], T]) -> T:
    """Do work that would block the event loop, at most as many at a time as `OCR_THREADS` says."""
    limiter: anyio.CapacityLimiter = request.app.state.thread_limiter
    return await run_sync(work, limiter=limiter)
