"""`GET /models…` for loaded models and sample images; `POST /models/reload`."""

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
    """All loaded models, and the folders of the model store that could not be loaded, with the reason."""
    store = service.store
    return ModelList(
        models=[_model(store, name) for name in store.models],
        broken=list(map(BrokenModelSchema.model_validate, store.broken)),
    )


# Before `/{name}`, which would otherwise answer 405 for POST.
@router.post(
    "/reload",
    summary="Reload the models",
    dependencies=NEEDS_ADMIN_KEY,
    responses=problem_responses(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def reload(service: ServiceDep) -> Reload:
    """Reload the model store without delaying or failing requests. Needs the admin key.

    The new models are loaded and tested while the old ones keep reading. A version that cannot be loaded is listed as
    `broken`; if it was loaded before, it stays as it was. If all folders of the default model are gone, its newest
    version stays loaded. Other workers follow within a second or two.
    """
    try:
        changes = await service.reload(service)
    except OSError as error:
        detail = f"The model store cannot be read ({error.strerror}); the models are unchanged."
        raise ApiError(HTTPStatus.CONFLICT, detail) from error
    if service.settings.default_model not in service.store.models:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, NOT_READY)
    return Reload.model_validate(changes)


@router.get(
    "/{name}", summary="Show a model", dependencies=NEEDS_API_KEY, responses=problem_responses(HTTPStatus.NOT_FOUND)
)
async def show_model(name: NameParameter, service: ServiceDep) -> Model:
    """Loaded versions of a model, newest first."""
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
    version: Annotated[str | None, Query(description="Version of the model; by default the newest.")] = None,
) -> Response:
    """The golden image of a version, to try it with; `sample` in `/models` is its text."""
    golden = service.store.get(name, version).model.golden
    if golden is None:
        raise ApiError(HTTPStatus.NOT_FOUND, NO_SAMPLE)
    return Response(golden.file, media_type=find_format(golden.file).media_type)


def _model(store: ModelStore, name: str) -> Model:
    versions = [ModelVersion.of(stored) for stored in store.models[name].values()]
    return Model(name=name, default=name == store.default_model, versions=versions)
