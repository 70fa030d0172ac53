"""What the routes answer: what `app.api.schemas` documents, which is not validated once more."""

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
    """Return the answer that has these fields, and says which model read for which request."""
    fields["model"] = {"name": stored.name, "version": stored.version}
    fields["request_id"] = request.state.request_id
    return Response(to_json(fields), media_type="application/json")
