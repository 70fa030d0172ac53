"""`GET /models` and `GET /models/{name}`: what is loaded."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from app.api.dependencies import StoreDep, check_api_key
from app.api.problems import problem_responses
from app.api.schemas import BrokenModelSchema, Model, ModelList, ModelVersion
from app.inference.store import ModelStore


async def _check_api_key(request: Request) -> None:
    check_api_key(request)


router = APIRouter(
    prefix="/models",
    tags=["models"],
    dependencies=[Depends(_check_api_key)],
    responses=problem_responses(HTTPStatus.UNAUTHORIZED),
)


@router.get("", summary="List the models")
async def list_models(store: StoreDep) -> ModelList:
    """All models that are loaded, and the folders of the model store that could not be, with the reason."""
    return ModelList(
        models=[_model(store, name) for name in store.models],
        broken=[BrokenModelSchema.of(broken) for broken in store.broken],
    )


@router.get("/{name}", summary="Show a model", responses=problem_responses(HTTPStatus.NOT_FOUND))
async def show_model(
    name: Annotated[str, Path(description="The model's name.", examples=["captcha"])], store: StoreDep
) -> Model:
    """The loaded versions of a model, newest first."""
    store.get(name)
    return _model(store, name)


def _model(store: ModelStore, name: str) -> Model:
    versions = [ModelVersion.of(stored) for stored in store.models[name].values()]
    return Model(name=name, default=name == store.default_model, versions=versions)
