"""Errors as problem documents (RFC 9457): never a stack trace, a path or an echo of the input."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.inference.images import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedImageError
from app.inference.store import UnknownModelError

MEDIA_TYPE = "application/problem+json"
REQUEST_ID_HEADER = "X-Request-ID"

IMAGE_ERROR_STATUS: dict[type[ImageError], HTTPStatus] = {
    UnsupportedImageError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ImageTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DamagedImageError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
SERVER_FAULT = "The request could not be answered because of a fault in the service."


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(examples=["about:blank"])] = "about:blank"
    title: Annotated[str, Field(description="The status in words.", examples=["Unsupported Media Type"])]
    status: Annotated[int, Field(description="The HTTP status.", examples=[415])]
    detail: Annotated[str, Field(description="What was wrong and what would be right.")]
    instance: Annotated[str, Field(description="The path that was asked for.", examples=["/predict"])]
    request_id: Annotated[str, Field(description="Also in the X-Request-ID header and in the log.")]


class ApiError(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def make_problem(request: Request, status: HTTPStatus, detail: str) -> Problem:
    """A problem of this request."""
    return Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=request.state.request_id,
    )


def problem_response(
    request: Request, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """The response that carries a problem."""
    problem = make_problem(request, status, detail)
    return JSONResponse(problem.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def image_error_status(error: ImageError) -> HTTPStatus:
    """The status that an image which cannot be read is answered with."""
    return IMAGE_ERROR_STATUS.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)


def problem_responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """What an operation's OpenAPI says of its errors."""
    return {
        int(status): {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error that a request can end in with a problem."""

    @app.exception_handler(ApiError)
    async def on_api_error(request: Request, error: ApiError) -> Response:
        return problem_response(request, error.status, error.detail, error.headers)

    @app.exception_handler(UnknownModelError)
    async def on_unknown_model(request: Request, error: UnknownModelError) -> Response:
        return problem_response(request, HTTPStatus.NOT_FOUND, str(error))

    @app.exception_handler(ImageError)
    async def on_image_error(request: Request, error: ImageError) -> Response:
        return problem_response(request, image_error_status(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        # The messages name the field and what it should be; the input itself is not repeated.
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return problem_response(request, HTTPStatus.UNPROCESSABLE_ENTITY, details)

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        headers = dict(error.headers or {})
        return problem_response(request, status, _http_detail(status, headers, error), headers)


def _http_detail(status: HTTPStatus, headers: dict[str, str], error: HTTPException) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return "There is nothing at this path; /docs lists what there is."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"This method is not allowed here; allowed is {headers.get('Allow', 'another')}."
    return str(error.detail)
