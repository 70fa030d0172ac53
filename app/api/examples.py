"""Examples in `/docs`: a generated image, and the shipped model's reading of it."""

import base64
from pathlib import Path
from typing import Any

from app.api.uploads import JSON, MULTIPART
from app.inference.images import ACCEPTED, FORMATS

EXAMPLE_IMAGE = Path(__file__).with_name("example.png").read_bytes()

_BINARY = {"type": "string", "format": "binary"}
_IMAGE: dict[str, Any] = {one.media_type: {"schema": _BINARY} for one in FORMATS}


def _object_with(field: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "object", "required": [field], "properties": {field: schema}}}


# With an empty example, /docs notices if no file was chosen, and shows the examples of other types.
_FILE = _BINARY | {"description": "The image file.", "example": ""}
_BASE64 = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The image file in Base64, URL-safe or not, or in a data URI.",
}
IMAGE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        MULTIPART: _object_with("file", _FILE),  # /docs opens with the first entry: a form with a file chooser
        JSON: _object_with("image", _BASE64) | {"example": {"image": base64.b64encode(EXAMPLE_IMAGE).decode()}},
        **_IMAGE,
    },
}

SAMPLE_RESPONSE: dict[int | str, dict[str, Any]] = {200: {"description": "The image.", "content": _IMAGE}}

BATCH_BODY: dict[str, Any] = {
    "required": True,
    "content": {MULTIPART: _object_with("files", {"type": "array", "items": _BINARY, "minItems": 1})},
}


def _character(character: str, confidence: float, left: int, right: int) -> dict[str, Any]:
    box = {"left": left, "top": 0, "right": right, "bottom": 50}
    return {"character": character, "confidence": confidence, "box": box}


_TEXT: dict[str, Any] = {
    "text": "ef2ec",
    "confidence": 0.999014,
    "characters": [
        _character("e", 0.99909, left=27, right=48),
        _character("f", 0.999997, left=48, right=69),
        _character("2", 1.0, left=69, right=91),
        _character("e", 0.999952, left=91, right=114),
        _character("c", 0.999975, left=114, right=137),
    ],
}
_WITH_SEARCH: dict[str, Any] = {
    "alternatives": [{"text": "ef2ec", "confidence": 0.999014}, {"text": "8f2ec", "confidence": 0.000795}],
    "accepted": True,
}
_MODEL = {"name": "captcha", "version": "202611240035"}
_REQUEST_ID = "0b5a2f6a1f7c4e0f9a53c2f4f4a6d9e1"


def _ok(example: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {JSON: {"example": example}}}}


PREDICTION_RESPONSE = _ok(
    _TEXT | _WITH_SEARCH | {"model": _MODEL, "request_id": _REQUEST_ID},
    "The text, and the confidence of each character.",
)
BATCH_RESPONSE = _ok(
    {
        "results": [
            _TEXT,
            {
                "problem": {
                    "type": "about:blank",
                    "title": "Unsupported Media Type",
                    "status": 415,
                    "detail": f"The upload is not a supported image; send {ACCEPTED}.",
                    "instance": "/predict/batch",
                    "request_id": _REQUEST_ID,
                }
            },
        ],
        "model": _MODEL,
        "request_id": _REQUEST_ID,
    },
    "A result for each image, in the order sent.",
)
