"""`POST /predict` and `POST /predict/batch`."""

import math
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response

from app.api import examples
from app.api.answers import answer, text_fields
from app.api.dependencies import check_api_key, in_worker_thread, work_of
from app.api.gathering import Gathering, SharedTurns
from app.api.problems import image_error_status, make_problem, problem_responses
from app.api.queries import find_search, query_parameters, read_query
from app.api.schemas import BatchPrediction, Prediction
from app.api.uploads import read_upload, read_uploads_form, too_large_detail
from app.inference.decoding.beam import Search
from app.inference.images import CheckedImage, ImageError, ImageLimits, ImageTooLargeError, check_image
from app.inference.models.model import ImageToTextModel, Reading
from app.inference.models.store import StoredModel
from app.inference.reading import read_uploads
from app.observability.metrics import Work

router = APIRouter(tags=["reading"])

ERRORS = problem_responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def _openapi(body: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": query_parameters(), "requestBody": body}


# The routes take the request as it is and give the response as it goes out: what FastAPI would do to either costs
# more than reading an image.


@router.post(
    "/predict",
    summary="Read one image",
    response_model=Prediction,
    responses=ERRORS | examples.PREDICTION_RESPONSE,
    openapi_extra=_openapi(examples.IMAGE_BODY),
)
async def predict(request: Request) -> Response:
    """Read the text in an image.

    Send the image as the form field `file`, or as the body itself with a Content-Type such as `image/png`,
    or in Base64 as the `image` of a JSON document. What format it is, its content decides;
    an animated GIF is composed over its frames.

    With `length`, `charset` or `pattern` the answer is the most probable text that satisfies all of them,
    and its confidence is what the network gives it among all texts.
    """
    state = request.app.state
    check_api_key(request)
    query = read_query(request)
    stored = state.store.get(query.model, query.version)
    work = _begin(request, stored)
    search = await find_search(request, stored.model, query)
    upload = await read_upload(request, state.settings.max_upload_bytes)
    work.watch.lap("receive")
    image = check_image(upload, state.limits)
    work.watch.lap("check")
    reading = await _read(request, stored.model, image, search)
    work.confidences.append(reading.confidence)
    response = answer(request, stored, text_fields(reading, query.min_confidence))
    work.watch.lap("render")
    return response


@router.post(
    "/predict/batch",
    summary="Read several images",
    response_model=BatchPrediction,
    responses=ERRORS | examples.BATCH_RESPONSE,
    openapi_extra=_openapi(examples.BATCH_BODY),
)
async def predict_batch(request: Request) -> Response:
    """Read the texts in the images sent as form fields named `files`.

    The results come in the order sent; an image that cannot be read has a problem in its place, and the
    others are read all the same.
    """
    settings, limits = request.app.state.settings, request.app.state.limits
    check_api_key(request)
    query = read_query(request)
    stored = request.app.state.store.get(query.model, query.version)
    work = _begin(request, stored)
    search = await find_search(request, stored.model, query)
    uploads = await read_uploads_form(request, settings.max_batch_files, settings.max_batch_bytes)
    work.images, work.is_batch = len(uploads), True
    work.watch.lap("receive")
    max_bytes = settings.max_upload_bytes
    fitting = [upload for upload in uploads if len(upload) <= max_bytes]
    read = iter(await _read_in_parallel(request, stored.model, fitting, limits, search))
    rendering = work.watch.beside()
    too_large = ImageTooLargeError(too_large_detail(max_bytes))
    results = [next(read) if len(upload) <= max_bytes else too_large for upload in uploads]
    work.confidences += [result.confidence for result in results if not isinstance(result, ImageError)]
    fields = [
        {"problem": make_problem(request, image_error_status(result), str(result)).model_dump()}
        if isinstance(result, ImageError)
        else text_fields(result, query.min_confidence)
        for result in results
    ]
    response = answer(request, stored, {"results": fields})
    rendering.lap("render")
    return response


def _begin(request: Request, stored: StoredModel) -> Work:
    """Note from here on what a request asks of a model."""
    work = request.scope["state"]["work"] = Work(stored.name, stored.version)
    return work


async def _read(request: Request, model: ImageToTextModel, image: CheckedImage, search: Search | None) -> Reading:
    """Read an image: here, or as is set, if it is small; in a thread if it takes longer than the change of threads.

    Raises:
        DamagedImageError: the pixels cannot be decoded.
        ApiError: too many are waiting, or it waited too long.
    """
    watch = work_of(request).watch
    if search is None and image.is_small:
        reader: SharedTurns | Gathering = request.app.state.reader
        return await reader.read(model, image, watch)
    pixels = map(CheckedImage.decode, [image])
    return await in_worker_thread(request, watch, lambda: model.predict(pixels, search, watch)[0])


async def _read_in_parallel(
    request: Request,
    model: ImageToTextModel,
    uploads: Sequence[bytes],
    limits: ImageLimits,
    search: Search | None,
) -> list[Reading | ImageError]:
    """Read images in as many threads as there are, each a part of them that follow each other."""
    threads: int = request.app.state.threads.count
    size = max(1, math.ceil(len(uploads) / threads))
    parts = [uploads[start : start + size] for start in range(0, len(uploads), size)]
    results: list[list[Reading | ImageError]] = [[] for _ in parts]

    async def read_part(index: int) -> None:
        watch = work_of(request).watch.beside()
        read = partial(read_uploads, model, parts[index], limits, search, watch)
        results[index] = await in_worker_thread(request, watch, read)

    async with anyio.create_task_group() as group:
        for index in range(len(parts)):
            group.start_soon(read_part, index)
    return [result for part in results for result in part]
