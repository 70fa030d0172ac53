"""Probes: `/livez`, `/readyz` and its alias `/health`. They ask for no key."""

from http import HTTPStatus

from fastapi import APIRouter

from app.api.dependencies import StoreDep
from app.api.problems import ApiError, problem_responses
from app.api.schemas import Health
from app.inference.store import UnknownModelError

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process alive?")
async def live() -> Health:
    """Answers as long as the process serves requests at all."""
    return Health(status="alive")


@router.get("/readyz", summary="Can it read?", responses=problem_responses(HTTPStatus.SERVICE_UNAVAILABLE))
@router.get("/health", summary="Alias of /readyz", responses=problem_responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def ready(store: StoreDep) -> Health:
    """Whether the default model is loaded and warmed up."""
    try:
        store.get()
    except UnknownModelError as error:
        detail = "The default model is not loaded; /models says why."
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail) from error
    return Health(status="ready")
