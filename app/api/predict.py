"""`POST /predict` and `POST /predict/batch`."""

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request

from app.api import examples
from app.api.dependencies import LimitsDep, ModelDep, SettingsDep, check_api_key, in_worker_thread
from app.api.problems import image_error_status, make_problem, problem_responses
from app.api.schemas import BatchPrediction, FailedImage, ModelReference, Prediction, Text
from app.api.uploads import read_upload, read_uploads_form
from app.inference.images import ImageError
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
async def predict(request: Request, model: ModelDep, settings: SettingsDep, limits: LimitsDep) -> Prediction:
    """Read the text in a PNG, JPEG or WebP image.

    Send the image as the form field `file`, or as the body itself with a Content-Type such as `image/png`,
    or in Base64 as the `image` of a JSON document. What format it is, its content decides.
    """
    upload = await read_upload(request, settings.max_upload_bytes)
    (result,) = await in_worker_thread(request, partial(read_uploads, model.model, [upload], limits))
    if isinstance(result, ImageError):
        raise result
    return Prediction(
        **Text.of(result).model_dump(),
        model=ModelReference(name=model.name, version=model.version),
        request_id=request.state.request_id,
    )


@router.post(
    "/predict/batch",
    summary="Read several images",
    responses=ERRORS | examples.BATCH_RESPONSE,
    openapi_extra={"requestBody": examples.BATCH_BODY},
)
async def predict_batch(request: Request, model: ModelDep, settings: SettingsDep, limits: LimitsDep) -> BatchPrediction:
    """Read the texts in the images sent as form fields named `files`.

    The results come in the order sent; an image that cannot be read has a problem in its place, and the
    others are read all the same.
    """
    uploads = await read_uploads_form(request, settings.max_batch_files, settings.max_batch_bytes)
    results = await in_worker_thread(request, partial(read_uploads, model.model, uploads, limits))
    return BatchPrediction(
        results=[
            FailedImage(problem=make_problem(request, image_error_status(result), str(result)))
            if isinstance(result, ImageError)
            else Text.of(result)
            for result in results
        ],
        model=ModelReference(name=model.name, version=model.version),
        request_id=request.state.request_id,
    )
