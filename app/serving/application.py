"""FastAPI application."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app import __version__
from app.api import health, metrics, models, predict
from app.api.browsers import ANY, AllowedHostsMiddleware, allow_origins
from app.api.examples import EXAMPLE_IMAGE
from app.api.keys import digests_of
from app.api.openapi import complete_openapi
from app.api.page import add_page
from app.api.problems import ANY_ERROR, add_problem_handlers
from app.api.request_context import POLLED_PATHS, RequestContextMiddleware
from app.api.service import Service
from app.inference.batcher import Batcher, in_thread
from app.inference.images import ImageLimits, decode_image
from app.inference.models.store import ModelStore
from app.observability.counts import shared_folder
from app.observability.logs import configure_logging, get_logger
from app.observability.metrics import Metrics
from app.observability.tracing import StageSpansMiddleware, make_tracer_provider, send_last_spans, telemetry_config
from app.serving.capacity import capacity_of
from app.serving.lifecycle import drain_on_sigterm
from app.serving.reload import reload_all_workers, reload_on_sighup, show_changes
from app.serving.server import DeadlineProtocol
from app.settings import Settings
from app.shared.memory import freeze_objects, release_free_pages, release_large_buffers

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

TRIM_SECONDS = 60.0
"""Interval at which free memory returns to the system."""

log = get_logger("app")

DESCRIPTION = """Reads short text in small images, with a confidence for every character.

A model reads the kind of image that it was trained on. Use it only on images that you have a right to read.
"""


def create_app(settings: Settings | None = None, *, owns_process: bool = False) -> FastAPI:
    """Return the application; the models are loaded when it starts.

    Args:
        settings: by default those of the environment.
        owns_process: whether the process does nothing else, so that the garbage collector may be tuned for serving.
    """
    settings = settings or Settings()
    tracer_provider = make_tracer_provider()

    # Serves the scripts of /docs itself, so the page works offline.
    app = FastAPIOffline(
        title="Captcha reader",
        summary="Read short text in images.",
        description=DESCRIPTION,
        version=__version__,
        redoc_url=None,
        redirect_slashes=False,  # a redirect loses the body; see RequestContextMiddleware
        responses=ANY_ERROR,
        lifespan=partial(_lifespan, settings=settings, owns_process=owns_process, tracer_provider=tracer_provider),
        swagger_ui_parameters={"tryItOutEnabled": True},  # show each operation with its form
        telemetry=telemetry_config(tracer_provider, POLLED_PATHS),
    )
    if settings.origins:
        allow_origins(app, settings.origins)
    if ANY not in settings.hosts:
        app.add_middleware(AllowedHostsMiddleware, hosts=settings.hosts)
    app.add_middleware(RequestContextMiddleware)  # outermost: everything inside may respond
    if tracer_provider is not None:
        app.add_middleware(StageSpansMiddleware, tracer=tracer_provider.get_tracer("app", __version__))
    add_problem_handlers(app)
    app.router.routes[:0] = predict.router.routes  # first, and not by include_router: saves 4 % of a request
    for router in (models.router, health.router):
        app.include_router(router)
    if settings.metrics != "off":
        app.include_router(metrics.router)
    add_page(app)
    complete_openapi(app, {health.TAG, metrics.TAG} if settings.metrics == "open" else {health.TAG})
    return app


def create_app_for_server() -> FastAPI:
    """Return the application that each worker process of `python -m app` serves."""
    settings = Settings()
    configure_logging(settings)
    release_large_buffers()
    DeadlineProtocol.configure(settings)
    return create_app(settings, owns_process=True)


@asynccontextmanager
async def _lifespan(
    app: FastAPI, settings: Settings, owns_process: bool, tracer_provider: "TracerProvider | None"
) -> AsyncIterator[None]:
    stopping, worker_metrics = threading.Event(), Metrics(shared_folder())
    drain_on_sigterm(stopping, worker_metrics, settings.drain_seconds)
    service = app.state.service = _start(settings, stopping, worker_metrics)
    reload_on_sighup(service)
    if owns_process:
        freeze_objects()
        trimming = asyncio.create_task(_trim_memory(TRIM_SECONDS))
    yield
    if owns_process:
        trimming.cancel()
    if tracer_provider is not None:
        await send_last_spans(tracer_provider)


async def _trim_memory(seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await in_thread(release_free_pages)


def _start(settings: Settings, stopping: threading.Event, worker_metrics: Metrics) -> Service:
    """Load the models and warm up the default one by reading an image.

    Raises:
        RuntimeError: if the default model does not have the checksum in OCR_MODEL_SHA256.
    """
    log.info("starting")
    store = ModelStore(settings.model_store, settings.default_model, settings.model_sha256, is_stopping=stopping.is_set)
    threads, max_pixels = capacity_of(settings)
    log.info("image limits", threads=threads, max_pixels=max_pixels)
    service = Service(
        settings=settings,
        api_keys=digests_of(settings.api_keys),
        admin_keys=digests_of(settings.admin_keys),
        metrics=worker_metrics,
        batcher=Batcher(threads, settings.max_waiting, settings.request_timeout, worker_metrics.waiting.set),
        store=store,
        limits=ImageLimits(max_pixels=max_pixels, max_side=settings.max_side),
        reload=reload_all_workers,
        stopping=stopping,
    )
    if store.default_model in store.models:
        store.get().model.predict([decode_image(EXAMPLE_IMAGE)])
    show_changes(service, None)
    if settings.model_sha256 and store.default_model not in store.models:
        raise RuntimeError("The default model with the checksum OCR_MODEL_SHA256 is not loaded; the log says why.")
    return service
