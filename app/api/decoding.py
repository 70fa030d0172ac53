"""The query parameters that say which texts a request wants."""

from functools import partial
from typing import Annotated, NamedTuple

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from app.api.dependencies import ModelDep, in_worker_thread
from app.inference.beam import Search
from app.inference.constraints import make_constraint
from app.inference.model import ImageToTextModel
from app.inference.patterns import MAX_LENGTH

MAX_ALTERNATIVES = 20


class DecodingQuery(BaseModel):
    """What a request may say of the texts that it wants."""

    alternatives: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_ALTERNATIVES,
            description="How many of the most probable texts to list, best first; `text` is then the first of them.",
            examples=[2],
        ),
    ] = 0
    length: Annotated[int | None, Field(ge=1, description="How many characters the text has.", examples=[5])] = None
    charset: Annotated[
        str | None,
        Field(min_length=1, description="The only characters that the text may have.", examples=["2345678bcdef"]),
    ] = None
    pattern: Annotated[
        str | None,
        Field(
            description=f"A regular expression that the whole text matches, of at most {MAX_LENGTH} characters: "
            "without look-around, back-references, flags and possessive repeats. In a URL, `+` is written `%2B`.",
            examples=[r"[a-z]{2}\d[a-z]{2}"],
        ),
    ] = None
    min_confidence: Annotated[
        float | None,
        Field(ge=0, le=1, description="The least confidence of a text that is `accepted`.", examples=[0.9]),
    ] = None


class Decoding(NamedTuple):
    """What a request wants besides the plain reading."""

    search: Search | None
    """None: greedy decoding."""
    min_confidence: float | None


async def get_decoding(request: Request, model: ModelDep, query: Annotated[DecodingQuery, Query()]) -> Decoding:
    """What the query says of the texts; nothing is searched for that greedy decoding gives."""
    if not query.alternatives and query.length is None and query.charset is None and query.pattern is None:
        return Decoding(None, query.min_confidence)
    # A pattern may take a while.
    search = await in_worker_thread(request, partial(_make_search, model.model, query))
    return Decoding(search, query.min_confidence)


DecodingDep = Annotated[Decoding, Depends(get_decoding)]


def _make_search(model: ImageToTextModel, query: DecodingQuery) -> Search:
    constraint = make_constraint(
        model.codec, model.steps, length=query.length, charset=query.charset, pattern=query.pattern
    )
    return Search(constraint, query.alternatives)
