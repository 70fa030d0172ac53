"""Images in JSON documents, `{"image": "<Base64>"}`, for clients that can send nothing else."""

import base64
import re

from pydantic_core import from_json

EXPECTED_DOCUMENT = 'Send a document {"image": "…"} with the image file in Base64.'
_FOREIGN = re.compile(r"[^A-Za-z0-9+/=_\s-]")


class DocumentError(ValueError):
    """The body is not such a document; the message says why without repeating the body."""


def image_of(body: bytes) -> bytes:
    """Return the image file in a document.

    The Base64 (RFC 4648) may have line breaks, the URL-safe alphabet or no padding, or be in a data URI.

    Raises:
        DocumentError: if the body is not such a document.
    """
    # Not a pydantic model, which takes 0.3 s to report 100,000 extra fields.
    try:
        document = from_json(body, cache_strings=False)
    except ValueError as error:
        raise DocumentError(f"The body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise DocumentError("The document is not an object")
    if "image" not in document:
        raise DocumentError("The document has no 'image'")
    if not isinstance(document["image"], str):
        raise DocumentError("The 'image' is not a string")
    if len(document) > 1:
        raise DocumentError(
            "The document has other fields than 'image'; 'model' and other options are query parameters"
        )
    return _decode(document["image"])


def _decode(text: str) -> bytes:
    if text[:5].lower() == "data:":
        header, _, text = text.partition(",")
        if not header.lower().endswith(";base64"):
            raise DocumentError("The 'image' is a data URI without ';base64,' before its content")
    letters = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except ValueError as error:
        foreign = _FOREIGN.search(text)
        if foreign is not None:
            why = f"the character at position {foreign.start()} is not in its alphabet"
        else:
            why = "'=' is not at the end" if "=" in letters else "it is truncated or has an extra character"
        raise DocumentError(f"The 'image' is not Base64: {why}") from error
