"""From the body of a request to the bytes of the images in it, never more of them than are accepted."""

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Scope

from app.api.admission import retry_after
from app.api.problems import TOO_MANY_BYTES, ApiError
from app.inference.images import ACCEPTED
from app.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

ENVELOPE_BYTES = 16_384
"""How much a form or a JSON document may be larger than the images in it."""
LARGEST_AT_A_TIME = 4
MULTIPART = "multipart/form-data"
JSON = "application/json"


class ImageDocument(BaseModel):
    """An image in a JSON document, for clients that can send nothing else."""

    model_config = ConfigDict(extra="forbid")

    image: str
    """The image file in Base64 (RFC 4648), in one line or several."""


class Bodies:
    """The bytes of request bodies that a worker holds at a time, so that many large ones do not fill the memory."""

    def __init__(self, settings: Settings) -> None:
        largest = max(settings.max_batch_bytes, 2 * settings.max_upload_bytes + ENVELOPE_BYTES)
        self._most = LARGEST_AT_A_TIME * largest
        self._held = 0

    def hold(self, request: Request, size: int) -> None:
        """Count more bytes until the request is over.

        Raises:
            ApiError: 503, there would be too many.
        """
        if self._held + size > self._most:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY_BYTES, retry_after())
        self._held += size
        state = request.scope["state"]
        state["held"] = state.get("held", 0) + size

    def release(self, scope: Scope) -> None:
        """Count the bytes of a request no more."""
        self._held -= scope["state"].pop("held", 0)


async def read_upload(request: Request, max_bytes: int) -> bytes:
    """The image file of a request: the form field `file`, the `image` of a JSON document, or the body itself.

    Raises:
        ApiError: the body is too large, no form, no document, or does not hold exactly one image.
    """
    media_type = _media_type(request)
    if media_type == MULTIPART:
        body = await _read_body(request, max_bytes + ENVELOPE_BYTES)
        files = _files(request, body, "file", most=1)
        upload = files[0]
    elif media_type == JSON:
        upload = _from_json(await _read_body(request, max_bytes * 4 // 3 + ENVELOPE_BYTES))
    else:
        upload = await _read_body(request, max_bytes)
    if len(upload) > max_bytes:
        raise _too_large(max_bytes)
    return upload


async def read_uploads_form(request: Request, max_files: int, max_bytes: int) -> list[bytes]:
    """The image files of a form, in the order sent: its fields named `files`.

    Raises:
        ApiError: the body is too large, no form, or holds no image or too many.
    """
    if _media_type(request) != MULTIPART:
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send the images as {MULTIPART}, each in a field named 'files'.",
        )
    body = await _read_body(request, max_bytes)
    return _files(request, body, "files", most=max_files)


def _media_type(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without a Content-Encoding.")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_body(request: Request, max_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > max_bytes):
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        request.app.state.bodies.hold(request, len(chunk))
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large_detail(max_bytes))


def too_large_detail(max_bytes: int) -> str:
    """What is wrong with an upload of more bytes."""
    return f"The upload is too large: at most {max_bytes:,} bytes."


def _files(request: Request, body: bytes, field: str, most: int) -> list[bytes]:
    """The files of a form; all of them must be in fields of this name."""
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The Content-Type {MULTIPART} lacks its boundary.")
    if b"--" + boundary + b"--" not in body:
        raise ApiError(HTTPStatus.BAD_REQUEST, "The form is cut off, or its boundary is not that of its Content-Type.")
    parts = _Parts(field.encode(), most)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        detail = "The body is not a form as its Content-Type says (RFC 7578)."
        raise ApiError(HTTPStatus.BAD_REQUEST, detail) from error
    if not parts.files:
        raise _other_fields(field, most)
    return [b"".join(pieces) for pieces in parts.files]


class _Parts:
    """The parts of a form as python-multipart finds them; its own form parser takes twice as long for an image.

    Attributes:
        files: the pieces of each file.
    """

    def __init__(self, field: bytes, most: int) -> None:
        self._field, self._most = field, most
        self._name = self._value = self._disposition = b""
        self.files: list[list[bytes]] = []

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_to_name,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._check,
            "on_part_data": self._add_to_file,
        }

    def _begin(self) -> None:
        self._disposition = b""

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _check(self) -> None:
        """Begin a file, if it is one, in the right field, and not too many."""
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise FormParserError("a part has no name")
        is_file = b"filename" in options and options[b"name"] == self._field
        if not is_file or len(self.files) == self._most == 1:
            raise _other_fields(self._field.decode(), self._most)
        if len(self.files) == self._most:
            too_many = f"The form holds too many files: at most {self._most}."
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_many)
        self.files.append([])

    def _add_to_file(self, data: bytes, start: int, end: int) -> None:
        self.files[-1].append(data[start:end])


def _other_fields(field: str, most: int) -> ApiError:
    wanted = (
        f"one image ({ACCEPTED}) as a file in the form field '{field}', and nothing else; /predict/batch takes several."
        if most == 1
        else f"1 to {most} images ({ACCEPTED}) as files in form fields named '{field}', and nothing else."
    )
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"Send {wanted}")


def _from_json(body: bytes) -> bytes:
    try:
        text = ImageDocument.model_validate_json(body).image
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        detail = 'Send a document {"image": "…"} with the image file in Base64.'
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from error
