"""`GET /metrics` for Prometheus."""

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
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": dict.fromkeys(FORMATS, TEXT)}, **problem_responses(HTTPStatus.UNAUTHORIZED)},
)
async def metrics(request: Request, service: ServiceDep) -> Response:
    """Metrics summed over all workers, as Prometheus text or, on request, OpenMetrics.

    The request does not wait in the queue, so it is answered even when the service is overloaded.
    """
    from app.observability.exposition import expose  # imported on the first request

    if service.settings.metrics == "key":
        await check_api_key(request)
    accept = request.headers.get("accept", "")
    exposition = partial(expose, service.metrics, service.store, accept)
    # Reading the counts of several workers takes longer.
    content, media_type = exposition() if service.settings.workers == 1 else await in_thread(exposition)
    return Response(content, headers={"Content-Type": media_type})
