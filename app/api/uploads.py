"""Extraction of image files from request bodies, within size limits."""

from http import HTTPStatus
from io import BytesIO
from itertools import islice

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.bodies import ENVELOPE_BYTES
from app.api.documents import EXPECTED_DOCUMENT, DocumentError, image_of
from app.api.forms import FormError, OtherFieldError, form_files
from app.api.problems import ApiError
from app.api.service import service_of
from app.inference.images import ACCEPTED

Headers = dict[bytes, bytes]
"""Values by lower-case name."""
MULTIPART = "multipart/form-data"
JSON = "application/json"


async def receive_image(request: Request, max_bytes: int) -> tuple[bytes, str]:
    """Receive the body of a request for one image; return it and its media type.

    Raises:
        ApiError: if the body is too large.
    """
    headers = _headers(request)
    media_type = _media_type(headers)
    overhead = {MULTIPART: ENVELOPE_BYTES, JSON: max_bytes // 3 + ENVELOPE_BYTES}.get(media_type, 0)
    return await _read_body(request, headers, max_bytes, overhead), media_type


def image_in(request: Request, body: bytes, media_type: str, max_bytes: int) -> bytes:
    """Return the image file in a body: the form field `file`, the `image` of a JSON document, or the body itself.

    Raises:
        ApiError: unless there is exactly one image, of at most `max_bytes`.
    """
    upload = body
    if media_type == MULTIPART:
        (upload,) = images_in(request, body, "file", max_files=1)
    elif media_type == JSON:
        upload = _from_json(body)
    if len(upload) > max_bytes:
        raise _too_large(max_bytes)
    return upload


async def receive_form(request: Request, max_bytes: int) -> bytes:
    """Receive the body of a request for several images, a form.

    Raises:
        ApiError: if the body is too large or not a form.
    """
    headers = _headers(request)
    if _media_type(headers) != MULTIPART:
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Send the images as {MULTIPART}, each in a field named 'files'.",
        )
    return await _read_body(request, headers, max_bytes)


def _media_type(headers: Headers) -> str:
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body without a Content-Encoding.")
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _headers(request: Request) -> Headers:
    """Return the first value of each header; `request.headers` scans all of them for every lookup."""
    return dict(reversed(request.scope["headers"]))


async def _read_body(request: Request, headers: Headers, max_bytes: int, overhead: int = 0) -> bytes:
    """Receive a body of at most `max_bytes` plus `overhead`."""
    bodies = service_of(request).bodies
    limit = min(max_bytes + overhead, bodies.max_bytes)
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise _too_large(min(max_bytes, limit))
    body = BytesIO()  # `getvalue` does not copy
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        if body.tell() + len(chunk) > limit:
            raise _too_large(min(max_bytes, limit))
        bodies.hold(request.scope, len(chunk))
        is_last = not message.get("more_body", False)
        if is_last and not body.tell():
            return chunk  # the usual case
        body.write(chunk)
        if is_last:
            return body.getvalue()


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large_detail(max_bytes))


def too_large_detail(max_bytes: int) -> str:
    """Return the error message for an upload of more than `max_bytes`."""
    return f"The upload is too large: at most {max_bytes:,} bytes."


def images_in(request: Request, body: bytes, field: str, max_files: int) -> list[bytes]:
    """Return the image files of a form in the order sent, from 1 to `max_files`, all in fields of this name.

    Raises:
        ApiError: if it has no file, too many or other fields.
    """
    try:
        files = list(islice(form_files(request.headers["content-type"], body, field), max_files + 1))
    except FormError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, str(error)) from error
    except OtherFieldError as error:
        raise _other_fields(field, max_files) from error
    if len(files) > max_files > 1:
        too_many = f"The form has too many files: at most {max_files}."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_many)
    if not 0 < len(files) <= max_files:
        raise _other_fields(field, max_files)
    return files


def _other_fields(field: str, max_files: int) -> ApiError:
    wanted = (
        f"only one image ({ACCEPTED}) as a file in the form field '{field}'; /predict/batch takes several."
        if max_files == 1
        else f"only 1 to {max_files} images ({ACCEPTED}) as files in form fields named '{field}'."
    )
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"Send {wanted}")


def _from_json(body: bytes) -> bytes:
    try:
        return image_of(body)
    except DocumentError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}. {EXPECTED_DOCUMENT}") from error
