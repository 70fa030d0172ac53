"""Errors as problem documents (RFC 9457), without stack traces, file paths or input."""

import random
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.inference.batcher import QueueFullError, WaitedTooLongError
from app.inference.costs import TooCostlyError
from app.inference.decoding.automaton import ConstraintError
from app.inference.images import ACCEPTED, ImageError, ImageTooLargeError, UnsupportedImageError
from app.inference.models.store import UnknownModelError

MEDIA_TYPE = "application/problem+json"
REQUEST_ID_HEADER = "X-Request-ID"

REFUSED: dict[type[Exception], HTTPStatus] = {
    UnsupportedImageError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ImageTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooCostlyError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownModelError: HTTPStatus.NOT_FOUND,
    ConstraintError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Status of errors whose messages are for the client; the first matching type counts."""
SERVER_FAULT = "The service could not answer the request because of an internal error."
UNKNOWN_PATH = "There is nothing at this path; /docs lists all paths."
WRONG_KEY = "Send the API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
WRONG_ADMIN_KEY = "Send the admin key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
NO_ADMIN_KEY = "This needs an admin key and the service has none; set OCR_ADMIN_KEY."
BUSY = "The queue is full; retry in a moment."
STOPPING = "The service is stopping."
TOO_MANY_BYTES = "Too many bytes of uploads are in progress; retry in a moment."
TOO_LATE = "The request was not read in time; retry in a moment, or send fewer images at once."
NOT_READY = "The default model is not loaded; /models says why."
OVERLOADED: dict[type[Exception], tuple[HTTPStatus, str]] = {
    QueueFullError: (HTTPStatus.SERVICE_UNAVAILABLE, BUSY),
    WaitedTooLongError: (HTTPStatus.GATEWAY_TIMEOUT, TOO_LATE),
}
EXAMPLE_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The form is truncated, or its boundary does not match its Content-Type.",
    HTTPStatus.UNAUTHORIZED: WRONG_KEY,
    HTTPStatus.FORBIDDEN: NO_ADMIN_KEY,
    HTTPStatus.NOT_FOUND: "No such model is loaded. Loaded models: captcha.",
    HTTPStatus.CONFLICT: "The model store cannot be read (Permission denied); the models are unchanged.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The upload is too large: at most 1,048,576 bytes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: f"The upload is not a supported image; send {ACCEPTED}.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The PNG image is damaged: its pixels cannot be decoded.",
    HTTPStatus.INTERNAL_SERVER_ERROR: SERVER_FAULT,
    HTTPStatus.SERVICE_UNAVAILABLE: NOT_READY,
}


class Problem(BaseModel):
    """Error (RFC 9457)."""

    type: Annotated[str, Field(examples=["about:blank"])] = "about:blank"
    title: Annotated[str, Field(description="The status in words.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="What is wrong and what is valid.")]
    instance: Annotated[str, Field(description="The path of the request.", examples=["/predict"])]
    request_id: Annotated[
        str,
        Field(
            description="Also in the X-Request-ID header and in the log.",
            examples=["0b5a2f6a1f7c4e0f9a53c2f4f4a6d9e1"],
        ),
    ]


class ApiError(Exception):
    """Error that ends a request with a problem document."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def make_problem(request: Request, status: HTTPStatus, detail: str) -> Problem:
    """Return a problem document for this request."""
    return Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        instance=_as_uri(request.scope["path"]),
        request_id=request.state.request_id,
    )


def problem_response(
    request: Request, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Return a response with a problem document."""
    problem = make_problem(request, status, detail)
    return Response(problem.model_dump_json(), status, headers, MEDIA_TYPE)


def retry_after() -> dict[str, str]:
    """Return a Retry-After of 1 to 3 seconds at random; if all clients retried at once, most would be refused again."""
    return {"Retry-After": random.choice("123")}  # noqa: S311 - no secret


def error_status(error: Exception) -> HTTPStatus:
    """Return the HTTP status of an error in `REFUSED`."""
    return next(status for kind, status in REFUSED.items() if isinstance(error, kind))


def _as_uri(path: str) -> str:
    """Return a path percent-encoded (RFC 3986); `request.url` fails on bytes that are not UTF-8."""
    return quote("/" + path.lstrip("/"), safe="/:@!$&'()*+,;=")


def problem_responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI descriptions of an operation's errors."""
    return {int(status): _problem_response(status.phrase, _example(status)) for status in statuses}


def _problem_response(description: str, example: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {MEDIA_TYPE: content}}


def _example(status: HTTPStatus) -> dict[str, Any]:
    fields = Problem.model_fields
    shown = {name: field.examples[0] for name, field in fields.items() if field.examples}
    return shown | {"title": status.phrase, "status": int(status), "detail": EXAMPLE_DETAILS[status]}


ANY_ERROR: dict[int | str, dict[str, Any]] = {"default": _problem_response("Any other error.")}
"""OpenAPI description of the errors that an operation does not list."""


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of a request with a problem document."""

    @app.exception_handler(ApiError)
    async def on_api_error(request: Request, error: ApiError) -> Response:
        return problem_response(request, error.status, error.detail, error.headers)

    async def on_overload(request: Request, error: Exception) -> Response:
        return problem_response(request, *OVERLOADED[type(error)], retry_after())

    async def on_refused(request: Request, error: Exception) -> Response:
        return problem_response(request, error_status(error), str(error))

    for kind in OVERLOADED:
        app.add_exception_handler(kind, on_overload)
    for kind in REFUSED:
        app.add_exception_handler(kind, on_refused)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        # The messages name the field and its valid values, but do not repeat the input.
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return problem_response(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{details}.")

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        headers = dict(error.headers or {})
        return problem_response(request, status, _http_detail(status, headers, error), headers)


def _http_detail(status: HTTPStatus, headers: dict[str, str], error: HTTPException) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return UNKNOWN_PATH
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"This method is not allowed here. Allowed: {headers.get('Allow', 'another')}."
    return str(error.detail)
