"""`GET /models…`: what is loaded, and an image that it reads; `POST /models/reload`: load what is there now."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.examples import SAMPLE_RESPONSE
from app.api.keys import NEEDS_ADMIN_KEY, NEEDS_API_KEY
from app.api.problems import NOT_READY, ApiError, problem_responses
from app.api.schemas import BrokenModelSchema, Model, ModelList, ModelVersion, Reload
from app.api.service import ServiceDep
from app.inference.images import find_format
from app.inference.models.store import ModelStore

NameParameter = Annotated[str, Path(description="The model's name.", examples=["captcha"])]
NO_SAMPLE = "This version has no sample: there is no golden.png in its folder."

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
async def show_model(name: NameParameter, service: ServiceDep) -> Model:
    """The loaded versions of a model, newest first."""
    service.store.get(name)
    return _model(service.store, name)


@router.get(
    "/{name}/sample",
    summary="Show an image that a model reads",
    dependencies=NEEDS_API_KEY,
    response_class=Response,
    responses=problem_responses(HTTPStatus.NOT_FOUND) | SAMPLE_RESPONSE,
)
async def show_sample(
    name: NameParameter,
    service: ServiceDep,
    version: Annotated[str | None, Query(description="Of the model; the newest if not given.")] = None,
) -> Response:
    """The golden image that is kept with a version, to try it with; its `sample` in `/models` is the text in it."""
    golden = service.store.get(name, version).model.golden
    if golden is None:
        raise ApiError(HTTPStatus.NOT_FOUND, NO_SAMPLE)
    return Response(golden.file, media_type=find_format(golden.file).media_type)


def _model(store: ModelStore, name: str) -> Model:
    versions = [ModelVersion.of(stored) for stored in store.models[name].values()]
    return Model(name=name, default=name == store.default_model, versions=versions)
