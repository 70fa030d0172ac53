"""`POST /predict` and `POST /predict/batch`."""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from app.api import examples
from app.api.keys import check_api_key
from app.api.problems import ANY_ERROR, error_status, make_problem, problem_responses
from app.api.queries import ReadQuery, find_search, read_query
from app.api.schemas import BatchPrediction, Prediction
from app.api.service import Service, service_of
from app.api.uploads import image_in, images_in, receive_form, receive_image, too_large_detail
from app.inference.batcher import in_thread
from app.inference.costs import check_cost
from app.inference.decoding.beam import Search
from app.inference.images import CheckedImage, ImageError, ImageLimits, ImageTooLargeError, Pixels, check_image
from app.inference.models.reading import Reading
from app.inference.models.store import StoredModel
from app.inference.reader import is_accepted
from app.observability.metrics import Work

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class RequestRoute(APIRoute):
    """Route whose function takes the raw request and returns the response; FastAPI only documents it.

    FastAPI's dependencies and body handling would cost 0.1 ms (`docs/performance.md`).
    """

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)

        self.app = app


MAX_LOOP_CHARACTERS = 1000
"""Maximum characters plus alternatives of a response that is rendered in the event loop."""

TAG = "reading"

router = APIRouter(tags=[TAG], route_class=RequestRoute, responses=ANY_ERROR)

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


@router.post(
    "/predict",
    summary="Read one image",
    response_model=Prediction,
    responses=ERRORS | examples.PREDICTION_RESPONSE,
    openapi_extra={"requestBody": examples.IMAGE_BODY},
)
async def predict(request: Request) -> Response:
    """Read the text in an image.

    Send the image in one of three ways: as the form field `file`; as the body itself, with a Content-Type such as
    `image/png`; or as the `image` of a JSON document, in Base64 or a data URI. The format is detected from the
    content. The frames of an animated GIF are combined into one image.

    With `length`, `charset` or `pattern`, the answer is the most probable text that satisfies all of them.
    Its confidence is its probability among all texts.

    With `evaluate=sum`, the answer also has the value of the sum in the image. It is the most probable value, with
    the probabilities of texts of equal value added up, so it may differ from the value of the most probable text.
    """
    service, query, stored, work, search = await _begin(request)
    max_bytes = service.settings.max_upload_bytes
    body, media_type = await receive_image(request, max_bytes)
    work.watch.lap("receive")

    def check() -> CheckedImage:
        return check_image(image_in(request, body, media_type, max_bytes), service.limits)

    image = await service.batcher.run_by_size(len(body), check, work.watch)
    check_cost(stored.model, [image], service.limits, is_searched=search is not None)
    work.watch.lap("check")
    reading = await service.batcher.read(stored.model, image, search, work.watch)
    work.confidences.append(reading.confidence)
    response = _answer(request, stored, _text_fields(reading, query.min_confidence))
    work.watch.lap("render")
    return response


@router.post(
    "/predict/batch",
    summary="Read several images",
    response_model=BatchPrediction,
    responses=ERRORS | examples.BATCH_RESPONSE,
    openapi_extra={"requestBody": examples.BATCH_BODY},
)
async def predict_batch(request: Request) -> Response:
    """Read the texts in images sent as form fields named `files`.

    The results come in the order sent. An image that cannot be read has a problem in its place and does not
    affect the others.
    """
    service, query, stored, work, search = await _begin(request)
    settings = service.settings
    body = await receive_form(request, settings.max_batch_bytes)
    work.watch.lap("receive")

    def check() -> list[CheckedImage | ImageError]:
        uploads = images_in(request, body, "files", settings.max_batch_files)
        return [_check_upload(upload, service.limits, settings.max_upload_bytes) for upload in uploads]

    images = await service.batcher.run_by_size(len(body), check, work.watch)
    work.images, work.is_batch = len(images), True
    good = [image for image in images if isinstance(image, CheckedImage)]
    check_cost(stored.model, good, service.limits, is_searched=search is not None)
    work.watch.lap("check", len(images))
    decoders = [partial(_decode, image) for image in images]
    results = await service.batcher.read_all(stored.model, decoders, search, work.watch)
    readings = [result for result in results if isinstance(result, Reading)]
    work.confidences += [reading.confidence for reading in readings]
    render = partial(_render, request, stored, results, query.min_confidence)
    is_short = sum(len(reading.characters) + len(reading.alternatives) for reading in readings) <= MAX_LOOP_CHARACTERS
    response = render() if is_short else await in_thread(render)
    work.watch.lap("render")
    return response


async def _begin(request: Request) -> tuple[Service, ReadQuery, StoredModel, Work, Search | None]:
    """Check the key, resolve the request's model and search, and start recording its work."""
    service = service_of(request)
    await check_api_key(request)
    query = read_query(request)
    stored = service.store.get(query.model, query.version)
    work = request.scope["state"]["work"] = Work(stored.name, stored.version)
    search = await find_search(service.batcher, stored.model, query, work.watch)
    return service, query, stored, work, search


def _check_upload(upload: bytes, limits: ImageLimits, max_bytes: int) -> CheckedImage | ImageError:
    if len(upload) > max_bytes:
        return ImageTooLargeError(too_large_detail(max_bytes))
    try:
        return check_image(upload, limits)
    except ImageError as error:
        return error.alone()


def _decode(image: CheckedImage | ImageError) -> Pixels:
    if isinstance(image, ImageError):
        raise image
    return image.decode()


def _text_fields(reading: Reading, min_confidence: float | None) -> dict[str, Any]:
    """Return the fields of `app.api.schemas.Text`."""
    fields = reading.to_dict()
    if min_confidence is not None:
        fields["accepted"] = is_accepted(reading, min_confidence)
    return fields


def _answer(request: Request, stored: StoredModel, fields: dict[str, Any]) -> Response:
    """Return a JSON response with these fields, the model and the request id, as the schemas document it."""
    fields["model"] = {"name": stored.name, "version": stored.version}
    fields["request_id"] = request.state.request_id
    return Response(to_json(fields), media_type="application/json")


def _render(
    request: Request, stored: StoredModel, results: Sequence[Reading | ImageError], min_confidence: float | None
) -> Response:
    """Return the response to a batch."""
    fields = [
        {"problem": make_problem(request, error_status(result), str(result)).model_dump()}
        if isinstance(result, ImageError)
        else _text_fields(result, min_confidence)
        for result in results
    ]
    return _answer(request, stored, {"results": fields})
