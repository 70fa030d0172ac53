"""`POST /predict` and `POST /predict/batch`."""

import math
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

import anyio
from fastapi import APIRouter, Depends, Request

from app.api import examples
from app.api.decoding import DecodingDep
from app.api.dependencies import LimitsDep, ModelDep, SettingsDep, check_api_key, in_worker_thread
from app.api.problems import image_error_status, make_problem, problem_responses
from app.api.schemas import BatchPrediction, FailedImage, ModelReference, Prediction, Text
from app.api.uploads import read_upload, read_uploads_form, too_large_detail
from app.inference.beam import Search
from app.inference.images import ImageError, ImageLimits, ImageTooLargeError
from app.inference.model import ImageToTextModel, Reading
from app.inference.reading import read_uploads

router = APIRouter(tags=["reading"], dependencies=[Depends(check_api_key)])

ERRORS = problem_responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)


@router.post(
    "/predict",
    summary="Read one image",
    responses=ERRORS | examples.PREDICTION_RESPONSE,
    openapi_extra={"requestBody": examples.IMAGE_BODY},
)
async def predict(
    request: Request, model: ModelDep, settings: SettingsDep, limits: LimitsDep, decoding: DecodingDep
) -> Prediction:
    """Read the text in a PNG, JPEG or WebP image.

    Send the image as the form field `file`, or as the body itself with a Content-Type such as `image/png`,
    or in Base64 as the `image` of a JSON document. What format it is, its content decides.

    With `length`, `charset` or `pattern` the answer is the most probable text that satisfies all of them,
    and its confidence is what the network gives it among all texts.
    """
    upload = await read_upload(request, settings.max_upload_bytes)
    (result,) = await in_worker_thread(request, partial(read_uploads, model.model, [upload], limits, decoding.search))
    if isinstance(result, ImageError):
        raise result
    return Prediction(
        **Text.of(result, decoding.min_confidence).model_dump(),
        model=ModelReference(name=model.name, version=model.version),
        request_id=request.state.request_id,
    )


@router.post(
    "/predict/batch",
    summary="Read several images",
    responses=ERRORS | examples.BATCH_RESPONSE,
    openapi_extra={"requestBody": examples.BATCH_BODY},
)
async def predict_batch(
    request: Request, model: ModelDep, settings: SettingsDep, limits: LimitsDep, decoding: DecodingDep
) -> BatchPrediction:
    """Read the texts in the images sent as form fields named `files`.

    The results come in the order sent; an image that cannot be read has a problem in its place, and the
    others are read all the same.
    """
    uploads = await read_uploads_form(request, settings.max_batch_files, settings.max_batch_bytes)
    max_bytes = settings.max_upload_bytes
    fitting = [upload for upload in uploads if len(upload) <= max_bytes]
    read = iter(await _read_in_parallel(request, model.model, fitting, limits, decoding.search))
    too_large = ImageTooLargeError(too_large_detail(max_bytes))
    results = [next(read) if len(upload) <= max_bytes else too_large for upload in uploads]
    return BatchPrediction(
        results=[
            FailedImage(problem=make_problem(request, image_error_status(result), str(result)))
            if isinstance(result, ImageError)
            else Text.of(result, decoding.min_confidence)
            for result in results
        ],
        model=ModelReference(name=model.name, version=model.version),
        request_id=request.state.request_id,
    )


async def _read_in_parallel(
    request: Request,
    model: ImageToTextModel,
    uploads: Sequence[bytes],
    limits: ImageLimits,
    search: Search | None,
) -> list[Reading | ImageError]:
    """Read images in as many threads as there are, each a part of them that follow each other."""
    threads = int(request.app.state.thread_limiter.total_tokens)
    size = max(1, math.ceil(len(uploads) / threads))
    parts = [uploads[start : start + size] for start in range(0, len(uploads), size)]
    results: list[list[Reading | ImageError]] = [[] for _ in parts]

    async def read_part(index: int) -> None:
        results[index] = await in_worker_thread(request, partial(read_uploads, model, parts[index], limits, search))

    async with anyio.create_task_group() as group:
        for index in range(len(parts)):
            group.start_soon(read_part, index)
    return [result for part in results for result in part]
