"""`GET /models` and `GET /models/{name}`: what is loaded; `POST /models/reload`: load what is there now."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path

from app.api.keys import NEEDS_ADMIN_KEY, NEEDS_API_KEY
from app.api.problems import NOT_READY, ApiError, problem_responses
from app.api.schemas import BrokenModelSchema, Model, ModelList, ModelVersion, Reload
from app.api.service import ServiceDep
from app.inference.models.store import ModelStore

router = APIRouter(prefix="/models", tags=["models"], responses=problem_responses(HTTPStatus.UNAUTHORIZED))


@router.get("", summary="List the models", dependencies=NEEDS_API_KEY)
async def list_models(service: ServiceDep) -> ModelList:
    """All models that are loaded, and the folders of the model store that could not be, with the reason."""
    store = service.store
    return ModelList(
        models=[_model(store, name) for name in store.models],
        broken=[BrokenModelSchema.of(broken) for broken in store.broken],
    )


# Before the route of one model, which would name its own method as the only one that is allowed here.
@router.post(
    "/reload",
    summary="Load the models anew",
    dependencies=NEEDS_ADMIN_KEY,
    responses=problem_responses(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def reload(service: ServiceDep) -> Reload:
    """Load the model store as it is now, without a request waiting or failing. It asks for the admin key.

    All is loaded and tested beside the models that read. A version that cannot be loaded is listed as `broken`, and
    where it was loaded before, it is kept as it was. So is the newest version of the default model if the folders of
    all are gone. Where there are several workers, the others follow within a second or two.
    """
    try:
        changes = await service.reload(service)
    except OSError as error:
        detail = f"The model store cannot be read ({error.strerror}); the models are as they were."
        raise ApiError(HTTPStatus.CONFLICT, detail) from error
    if service.settings.default_model not in service.store.models:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, NOT_READY)
    return Reload.model_validate(changes)


@router.get(
    "/{name}", summary="Show a model", dependencies=NEEDS_API_KEY, responses=problem_responses(HTTPStatus.NOT_FOUND)
)
async def show_model(
    name: Annotated[str, Path(description="The model's name.", examples=["captcha"])], service: ServiceDep
) -> Model:
    """The loaded versions of a model, newest first."""
    service.store.get(name)
    return _model(service.store, name)


def _model(store: ModelStore, name: str) -> Model:
    versions = [ModelVersion.of(stored) for stored in store.models[name].values()]
    return Model(name=name, default=name == store.default_model, versions=versions)
