"""Responses of the reading routes, built as `app.api.schemas` documents them, without validation."""

from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from app.inference.models.model import Reading
from app.inference.models.store import StoredModel
from app.inference.reader import is_accepted


def text_fields(reading: Reading, min_confidence: float | None) -> dict[str, Any]:
    """Return the fields of `Text`."""
    fields = reading.to_dict()
    if min_confidence is not None:
        fields["accepted"] = is_accepted(reading, min_confidence)
    return fields


def answer(request: Request, stored: StoredModel, fields: dict[str, Any]) -> Response:
    """Return a JSON response with these fields, the model and the request id."""
    fields["model"] = {"name": stored.name, "version": stored.version}
    fields["request_id"] = request.state.request_id
    return Response(to_json(fields), media_type="application/json")
