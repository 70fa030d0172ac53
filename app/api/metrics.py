"""`GET /metrics`: what Prometheus reads."""

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from app.api.keys import check_api_key
from app.api.problems import problem_responses
from app.api.service import ServiceDep
from app.inference.batcher import in_thread

METRICS_PATH = "/metrics"
TAG = "metrics"
FORMATS = ("text/plain", "application/openmetrics-text")
TEXT = {"schema": {"type": "string"}}

router = APIRouter(tags=[TAG])


@router.get(
    METRICS_PATH,
    summary="The service in numbers",
    response_class=Response,
    responses={200: {"content": dict.fromkeys(FORMATS, TEXT)}, **problem_responses(HTTPStatus.UNAUTHORIZED)},
)
async def metrics(request: Request, service: ServiceDep) -> Response:
    """What was read and how long it took, summed over all workers: as Prometheus text, or OpenMetrics if asked for.

    It does not wait in the queue, so it is answered also when the service has too much to do.
    """
    from app.observability.exposition import expose  # what it needs is loaded for the first who asks

    if service.settings.metrics == "key":
        await check_api_key(request)
    accept = request.headers.get("accept", "")
    say = partial(expose, service.metrics, service.store, accept)
    content, media_type = say() if service.settings.workers == 1 else await in_thread(say)  # of many, it takes longer
    return Response(content, headers={"Content-Type": media_type})
