"""From the body of a request to the bytes of the images in it, never more of them than are accepted."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

from fastapi import Request
from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.api.problems import ApiError
from app.inference.images import ACCEPTED

ENVELOPE_BYTES = 16_384
"""How much a form or a JSON document may be larger than the images in it."""
MULTIPART = "multipart/form-data"
JSON = "application/json"


class ImageDocument(BaseModel):
    """An image in a JSON document, for clients that can send nothing else."""

    model_config = ConfigDict(extra="forbid")

    image: Base64Bytes
    """The image file in Base64 (RFC 4648)."""


async def read_upload(request: Request, max_bytes: int) -> bytes:
    """The image file of a request: the form field `file`, the `image` of a JSON document, or the body itself.

    Raises:
        ApiError: the body is too large, no form, no document, or does not hold exactly one image.
    """
    media_type = _media_type(request)
    if media_type == MULTIPART:
        body = await _read_body(request, max_bytes + ENVELOPE_BYTES)
        files = await _files(request, body, "file", most=1)
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
    return await _files(request, body, "files", most=max_files)


def _media_type(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without a Content-Encoding.")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_body(request: Request, max_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The upload is too large: at most {max_bytes:,} bytes.")


async def _files(request: Request, body: bytes, field: str, most: int) -> list[bytes]:
    form = await _parse_form(request, body, most)
    try:
        files = [value for name, value in form.multi_items() if name == field and isinstance(value, UploadFile)]
        if not files or len(files) != len(form.multi_items()):
            wanted = "one image" if most == 1 else f"1 to {most} images"
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"Send {wanted} ({ACCEPTED}), as files in form fields named '{field}', and nothing else.",
            )
        return [await file.read() for file in files]
    finally:
        await form.close()


async def _parse_form(request: Request, body: bytes, most: int) -> FormData:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        return await MultiPartParser(request.headers, stream(), max_files=most, max_fields=1).parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            detail = f"The form holds too many files: at most {most}."
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail) from error
        detail = "The body is not a form as its Content-Type says (RFC 7578)."
        raise ApiError(HTTPStatus.BAD_REQUEST, detail) from error
    except KeyError as error:
        detail = f"The Content-Type {MULTIPART} lacks its boundary."
        raise ApiError(HTTPStatus.BAD_REQUEST, detail) from error


def _from_json(body: bytes) -> bytes:
    try:
        return ImageDocument.model_validate_json(body).image
    except ValidationError as error:
        detail = 'Send a document {"image": "…"} with the image file in Base64.'
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from error
