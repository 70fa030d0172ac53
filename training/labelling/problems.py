"""Errors of the labelling page as problem documents (RFC 9457)."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.inference.images import ImageError
from training.data.dataset import DataError
from training.labelling.decisions import LabelError
from training.labelling.session import ConflictError

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[Exception], HTTPStatus] = {
    ConflictError: HTTPStatus.CONFLICT,
    LabelError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ImageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    DataError: HTTPStatus.INTERNAL_SERVER_ERROR,
    OSError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def problem(status: HTTPStatus, detail: str) -> Response:
    """Return a response with a problem document."""
    document = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    return JSONResponse(document, status, media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer errors with problem documents."""

    async def on_known(_request: Request, error: Exception) -> Response:
        status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
        return problem(status, _detail(error))

    for kind in STATUS:
        app.add_exception_handler(kind, on_known)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{details}.")

    @app.exception_handler(HTTPException)
    async def on_http_exception(_request: Request, error: HTTPException) -> Response:
        return problem(HTTPStatus(error.status_code), str(error.detail))


def _detail(error: Exception) -> str:
    if isinstance(error, DataError):
        return f"A table was changed and is no longer valid; fix it and try again: {error}"
    if isinstance(error, OSError):
        return f"The decision could not be written: {error.strerror} ({error.filename})."
    return str(error)
