"""An image in a JSON document, `{"image": "<Base64>"}`, for clients that can send nothing else."""

import base64
import re

from pydantic_core import from_json

WANTED = 'Send a document {"image": "…"} with the image file in Base64.'
_FOREIGN = re.compile(r"[^A-Za-z0-9+/=_\s-]")


class DocumentError(ValueError):
    """A body is no such document; the message says why, without repeating it."""


def image_of(body: bytes) -> bytes:
    """Return the image file of a document.

    Its Base64 (RFC 4648) may be in one line or several, with the URL-safe alphabet, without padding, or in a data URI.

    Raises:
        DocumentError: the body is no such document.
    """
    # Not by a model of pydantic, which tells of each of 100,000 fields too many, in 0.3 s.
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
            "The document has other fields than 'image'; 'model' and the like are parameters of the query"
        )
    return _decode(document["image"])


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
