"""Query parameters of the reading routes."""

from collections import Counter
from difflib import get_close_matches
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, ValidationError

from app.api.problems import ApiError
from app.inference.batcher import Batcher
from app.inference.decoding.beam import Search
from app.inference.decoding.patterns import MAX_LENGTH
from app.inference.decoding.sums import Evaluation
from app.inference.models.model import ImageToTextModel
from app.inference.reader import make_search
from app.shared.stopwatch import Stopwatch

MAX_ALTERNATIVES = 20
MAX_PARAMETERS, MAX_NAME = 32, 32
"""Maximum number of parameters, and maximum length of a name for which a correction is suggested."""


class ReadQuery(BaseModel):
    """Options of a reading: the model and the texts wanted."""

    model: Annotated[str | None, Field(description="The model's name.", examples=["captcha"])] = None
    version: Annotated[str | None, Field(description="The model's version; by default the newest.")] = None
    alternatives: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_ALTERNATIVES,
            description="How many of the most probable texts to list, best first; `text` is then the first one.",
            examples=[2],
        ),
    ] = 0
    length: Annotated[int | None, Field(ge=1, description="The number of characters of the text.", examples=[5])] = None
    charset: Annotated[
        str | None,
        Field(min_length=1, description="The only characters that the text may have.", examples=["2345678bcdef"]),
    ] = None
    pattern: Annotated[
        str | None,
        Field(
            description=f"A regular expression for the whole text, of at most {MAX_LENGTH} characters, without "
            "look-around, back-references, flags and possessive repeats. In a URL, write `+` as `%2B`; curl needs `-g` "
            "for brackets and braces.",
            examples=[r"[a-z]{2}\d[a-z]{2}"],
        ),
    ] = None
    evaluate: Annotated[
        Evaluation | None,
        Field(description="What to compute: `sum` gives the value of the sum in the image, such as `10-2=`."),
    ] = None
    min_confidence: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="The confidence threshold at which a text, or the value of a sum, is `accepted`.",
            examples=[0.9],
        ),
    ] = None


_EMPTY_QUERY = ReadQuery()
_KNOWN = f"Known parameters: {', '.join(ReadQuery.model_fields)}."


def read_query(request: Request) -> ReadQuery:
    """Return the query of a request.

    Used instead of FastAPI's parameters in routes that take the raw request; see `app.api.predict.RequestRoute`.

    Raises:
        ApiError: if a parameter is unknown or repeated.
        RequestValidationError: if a value is invalid.
    """
    sent: bytes = request.scope["query_string"]
    if not sent:
        return _EMPTY_QUERY
    if sent.count(b"&") >= MAX_PARAMETERS:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"The query has over {MAX_PARAMETERS} parameters. {_KNOWN}")
    _check_names(request)
    try:
        return ReadQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        details = [{**detail, "loc": ("query", *detail["loc"])} for detail in error.errors(include_url=False)]
        raise RequestValidationError(details) from error


def _check_names(request: Request) -> None:
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in ReadQuery.model_fields:
            nearest = get_close_matches(name, ReadQuery.model_fields, n=1) if len(name) <= MAX_NAME else None
            suggestion = f" Did you mean '{nearest[0]}'?" if nearest else ""
            detail = f"The query has an unknown parameter.{suggestion} {_KNOWN}"
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        if times > 1:
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"query.{name}: given {times} times; give it once.")


def query_parameters() -> list[dict[str, Any]]:
    """Return the OpenAPI description of the query, as FastAPI would."""

    def route(query: Annotated[ReadQuery, Query()]) -> None: ...

    document = get_openapi(title="", version="", routes=[APIRoute("/", route)])
    parameters: list[dict[str, Any]] = document["paths"]["/"]["get"]["parameters"]
    return parameters


async def find_search(batcher: Batcher, model: ImageToTextModel, query: ReadQuery, watch: Stopwatch) -> Search | None:
    """Return the search that a query asks for; None for greedy decoding.

    Raises:
        ConstraintError: if no text satisfies the query, or its pattern is invalid.
        QueueFullError, WaitedTooLongError: see `Batcher.run`.
    """
    if query is _EMPTY_QUERY:
        return None
    wanted = query.model_dump(
        include={"length", "charset", "pattern", "alternatives", "evaluate"}, exclude_defaults=True
    )
    if not wanted:
        return None
    search = await batcher.run(partial(make_search, model, **wanted), watch)  # a pattern may take a while
    watch.lap("search")
    return search
