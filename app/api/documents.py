"""An image in a JSON document, `{"image": "<Base64>"}`, for clients that can send nothing else."""

import base64
import re

from pydantic import BaseModel, ConfigDict, ValidationError

WANTED = 'Send a document {"image": "…"} with the image file in Base64.'
MISTAKES = {
    "json_invalid": "The body is not JSON: {error}",
    "model_type": "The document is not an object",
    "missing": "The document has no 'image'",
    "string_type": "The 'image' is not a string",
    "extra_forbidden": "The document has other fields than 'image'; 'model' and the like are parameters of the query",
}
"""By the types of pydantic's errors."""
_FOREIGN = re.compile(r"[^A-Za-z0-9+/=_\s-]")


class DocumentError(ValueError):
    """A body is no such document; the message says why, without repeating it."""


class ImageDocument(BaseModel):
    """The document."""

    model_config = ConfigDict(extra="forbid")

    image: str


def image_of(body: bytes) -> bytes:
    """Return the image file of a document.

    Its Base64 (RFC 4648) may be in one line or several, with the URL-safe alphabet, without padding, or in a data URI.

    Raises:
        DocumentError: the body is no such document.
    """
    try:
        text = ImageDocument.model_validate_json(body).image
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DocumentError(MISTAKES[first["type"]].format_map(first.get("ctx", {}))) from error
    return _decode(text)


def _decode(text: str) -> bytes:
    if text[:5].lower() == "data:":
        header, _, text = text.partition(",")
        if not header.lower().endswith(";base64"):
            raise DocumentError("The 'image' is a data URI that does not say ';base64,' before its content")
    letters = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except ValueError as error:
        foreign = _FOREIGN.search(text)
        if foreign is not None:
            why = f"the character at position {foreign.start()} is none of its alphabet"
        else:
            why = "'=' stands amid it" if "=" in letters else "it is cut off, or has a character too many"
        raise DocumentError(f"The 'image' is not Base64: {why}") from error
