"""What the routes answer: the same as `app.api.schemas` documents, in a third of the time that pydantic takes."""

from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from app.inference.decoding.boxes import Box
from app.inference.models.model import Reading
from app.inference.models.store import StoredModel

DIGITS = 6  # of a confidence: further ones mean nothing and make answers longer


def text_fields(reading: Reading, min_confidence: float | None) -> dict[str, Any]:
    """The fields of `Text`."""
    confidence = round(reading.confidence, DIGITS)
    fields: dict[str, Any] = {
        "text": reading.text,
        "confidence": confidence,
        "characters": [
            {"character": character, "confidence": round(sure, DIGITS), "box": _box_fields(box)}
            for character, sure, box in reading.characters
        ],
    }
    if reading.alternatives:
        fields["alternatives"] = [
            {"text": other.text, "confidence": round(other.confidence, DIGITS)} for other in reading.alternatives
        ]
    if min_confidence is not None:
        fields["accepted"] = confidence >= min_confidence
    return fields


def answer(request: Request, stored: StoredModel, fields: dict[str, Any]) -> Response:
    """The answer that has these fields, and says which model read for which request."""
    fields["model"] = {"name": stored.name, "version": stored.version}
    fields["request_id"] = request.state.request_id
    return Response(to_json(fields), media_type="application/json")


def _box_fields(box: Box | None) -> dict[str, int] | None:
    if box is None:
        return None
    left, top, right, bottom = box
    return {"left": left, "top": top, "right": right, "bottom": bottom}
