"""Files of multipart forms (RFC 7578), split at the boundary; Starlette's parser would add 8 % to a request."""

import re
from collections.abc import Iterator

from python_multipart.multipart import parse_options_header

MAX_HEAD_BYTES = 4096
"""Limit for the headers of a part."""
MAX_BOUNDARY_CHARACTERS = 70  # RFC 2046, 5.1.1
MAX_PARAMETERS = 100
"""Limit for a Content-Type or Content-Disposition; two or three are usual, and each costs time."""

_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ENCODED_FILENAME = re.compile(rb";[ \t]*filename\*[0-9*]*[ \t]*=", re.IGNORECASE)  # RFC 2231; the library drops it
_END_OF_LINE = re.compile(rb"[ \t]*\r\n")


class FormError(ValueError):
    """The body is not a form as its Content-Type says; the message says why."""


class OtherFieldError(ValueError):
    """The form contains something other than files in the expected field."""


def form_files(content_type: str, body: bytes, field: str) -> Iterator[bytes]:
    """Yield the files of a form, given its Content-Type; every part must be a file in the field of this name.

    Raises:
        FormError: if the body is not such a form, or truncated.
        OtherFieldError: if a part is not a file or is in another field.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    at = 0 if body.startswith(delimiter[2:]) else _find(body, delimiter, 0) + 2
    start = at + len(delimiter) - 2
    while not body.startswith(b"--", start):
        line = _END_OF_LINE.match(body, start)
        if line is None:
            raise FormError("The body is not a form as its Content-Type says (RFC 7578).")
        end = _find(body, delimiter, line.end())
        head_end = body.find(b"\r\n\r\n", line.end(), min(end, line.end() + MAX_HEAD_BYTES))
        if head_end < 0:
            raise FormError("The body is not a form as its Content-Type says (RFC 7578): a part has no headers.")
        _check_part(body[line.end() : head_end], field.encode())
        yield body[head_end + 4 : end]
        start = end + len(delimiter)


def _boundary(content_type: str) -> bytes:
    boundary = _parameters(content_type.encode("latin-1")).get(b"boundary")
    if not boundary:
        raise FormError("The Content-Type multipart/form-data has no boundary.")
    if len(boundary) > MAX_BOUNDARY_CHARACTERS:
        raise FormError(f"The boundary of the form has more than {MAX_BOUNDARY_CHARACTERS} characters (RFC 2046).")
    return boundary


def _parameters(header: bytes) -> dict[bytes, bytes]:
    if header.count(b";") > MAX_PARAMETERS:
        raise FormError(f"A header of the form has over {MAX_PARAMETERS} parameters.")
    return parse_options_header(header)[1]


def _find(body: bytes, delimiter: bytes, start: int) -> int:
    at = body.find(delimiter, start)
    if at < 0:
        raise FormError("The form is truncated, or its boundary does not match its Content-Type.")
    return at


def _check_part(head: bytes, field: bytes) -> None:
    """Raise unless the headers of a part declare a file in the field."""
    disposition = b""
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise FormError("The body is not a form as its Content-Type says (RFC 7578): a part has invalid headers.")
        if name.lower() == b"content-disposition":
            disposition = value.strip()
    options = _parameters(disposition)
    name = options.get(b"name", b"")
    is_file = b"filename" in options or _ENCODED_FILENAME.search(_QUOTED.sub(b"", disposition)) is not None
    if not name:
        raise FormError("The body is not a form as its Content-Type says (RFC 7578): a part has no name.")
    if name != field or not is_file:
        raise OtherFieldError
