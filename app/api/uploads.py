"""From the body of a request to the bytes of the images in it, never more of them than are accepted."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from io import BytesIO
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.bodies import ENVELOPE_BYTES
from app.api.documents import WANTED, DocumentError, image_of
from app.api.forms import FormError, OtherFieldError, form_files
from app.api.problems import ApiError
from app.api.service import service_of
from app.inference.images import ACCEPTED

Content = TypeVar("Content")
Headers = dict[bytes, bytes]
"""By their names in small letters."""
MULTIPART = "multipart/form-data"
JSON = "application/json"


class Body(NamedTuple, Generic[Content]):
    """A body that is all there."""

    size: int
    """In bytes."""
    content: Callable[[], Content]
    """Looks through it for what is wanted; raises an `ApiError` if that is not there. It may be called in a thread."""


async def receive_upload(request: Request, max_bytes: int) -> Body[bytes]:
    """The image file of a request: the form field `file`, the `image` of a JSON document, or the body itself.

    Raises:
        ApiError: the body is too large; see `Body.content` for one that does not hold exactly one image.
    """
    headers = _headers(request)
    media_type = _media_type(headers)
    around = {MULTIPART: ENVELOPE_BYTES, JSON: max_bytes // 3 + ENVELOPE_BYTES}.get(media_type, 0)
    body = await _read_body(request, headers, max_bytes, around)

    def find() -> bytes:
        upload = body
        if media_type == MULTIPART:
            (upload,) = _files(request, body, "file", most=1)
        elif media_type == JSON:
            upload = _from_json(body)
        if len(upload) > max_bytes:
            raise _too_large(max_bytes)
        return upload

    return Body(len(body), find)


async def receive_uploads(request: Request, max_files: int, max_bytes: int) -> Body[list[bytes]]:
    """The image files of a form, in the order sent: its fields named `files`.

    Raises:
        ApiError: the body is too large, or no form; see `Body.content` for one that holds no image, or too many.
    """
    headers = _headers(request)
    if _media_type(headers) != MULTIPART:
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send the images as {MULTIPART}, each in a field named 'files'.",
        )
    body = await _read_body(request, headers, max_bytes)
    return Body(len(body), partial(_files, request, body, "files", most=max_files))


def _media_type(headers: Headers) -> str:
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without a Content-Encoding.")
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _headers(request: Request) -> Headers:
    """The first of each name; `request.headers` looks through all of them for each that is asked for."""
    return dict(reversed(request.scope["headers"]))


async def _read_body(request: Request, headers: Headers, max_bytes: int, around: int = 0) -> bytes:
    """A body of at most so many bytes, and those that may be around an image's."""
    bodies = service_of(request).bodies
    most = min(max_bytes + around, bodies.max_bytes)
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > most):
        raise _too_large(min(max_bytes, most))
    body = BytesIO()  # gives what was written without copying it again
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        if body.tell() + len(chunk) > most:
            raise _too_large(min(max_bytes, most))
        bodies.hold(request.scope, len(chunk))
        is_last = not message.get("more_body", False)
        if is_last and not body.tell():
            return chunk  # as nearly all come
        body.write(chunk)
        if is_last:
            return body.getvalue()


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large_detail(max_bytes))


def too_large_detail(max_bytes: int) -> str:
    """What is wrong with an upload of more bytes."""
    return f"The upload is too large: at most {max_bytes:,} bytes."


def _files(request: Request, body: bytes, field: str, most: int) -> list[bytes]:
    """The files of a form, at least one and at most so many; all of them must be in fields of this name."""
    try:
        files = list(islice(form_files(request.headers["content-type"], body, field), most + 1))
    except FormError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, str(error)) from error
    except OtherFieldError as error:
        raise _other_fields(field, most) from error
    if len(files) > most > 1:
        too_many = f"The form holds too many files: at most {most}."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_many)
    if not 0 < len(files) <= most:
        raise _other_fields(field, most)
    return files


def _other_fields(field: str, most: int) -> ApiError:
    wanted = (
        f"one image ({ACCEPTED}) as a file in the form field '{field}', and nothing else; /predict/batch takes several."
        if most == 1
        else f"1 to {most} images ({ACCEPTED}) as files in form fields named '{field}', and nothing else."
    )
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"Send {wanted}")


def _from_json(body: bytes) -> bytes:
    try:
        return image_of(body)
    except DocumentError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}. {WANTED}") from error
