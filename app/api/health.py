"""Probes: `/livez`, `/readyz` and its alias `/health`. They need no key."""

from http import HTTPStatus

from fastapi import APIRouter

from app import __version__
from app.api.problems import NOT_READY, STOPPING, ApiError, problem_responses
from app.api.schemas import Health
from app.api.service import ServiceDep
from app.inference.models.store import UnknownModelError

PROBES = frozenset({"/livez", "/readyz", "/health"})

TAG = "health"

router = APIRouter(tags=[TAG])


@router.get("/livez", summary="Is the process alive?")
async def live() -> Health:
    """Succeed as long as the process serves requests at all."""
    return Health(status="alive", version=__version__)


# The last decorator comes first in the documentation.
@router.get("/health", summary="Alias of /readyz", responses=problem_responses(HTTPStatus.SERVICE_UNAVAILABLE))
@router.get("/readyz", summary="Can it read?", responses=problem_responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def ready(service: ServiceDep) -> Health:
    """Succeed if the default model is loaded and warmed up and the service is not stopping."""
    if service.stopping.is_set():
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, STOPPING)
    try:
        service.store.get()
    except UnknownModelError as error:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, NOT_READY) from error
    return Health(status="ready", version=__version__)
