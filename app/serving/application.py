"""The application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from app import __version__
from app.api import health, metrics, models, predict
from app.api.admission import Threads, Turns
from app.api.browsers import ANY, AllowedHostsMiddleware, allow_origins
from app.api.dependencies import digests_of
from app.api.gathering import Gathering, SharedTurns
from app.api.openapi import complete_openapi
from app.api.page import add_page
from app.api.problems import ANY_ERROR, add_problem_handlers
from app.api.request_context import QUIET, RequestContextMiddleware
from app.api.shortcut import ShortcutMiddleware
from app.api.uploads import Bodies
from app.api.warm_up import warm_up
from app.inference.images import ImageLimits
from app.inference.models.store import ModelStore
from app.observability.counts import shared_folder
from app.observability.logs import configure_logging
from app.observability.metrics import Metrics
from app.observability.tracing import (
    StageSpansMiddleware,
    make_tracer_provider,
    send_last_spans,
    telemetry_config,
)
from app.serving.lifecycle import drain_on_sigterm
from app.serving.reload import reload_all_workers, reload_on_sighup, show_changes
from app.serving.server import DeadlineProtocol
from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.memory import give_back_large_buffers, keep_what_there_is

log = structlog.get_logger("app")

DESCRIPTION = """Reads short text in small images and says how sure it is of every character.

A model reads the kind of image that it was trained on. Use it on images that you have a right to read.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service; the models are loaded when it starts.

    Args:
        settings: instead of those of the environment.
    """
    settings = settings or Settings()
    tracer_provider = make_tracer_provider()

    # Its page /docs brings its scripts along, so it works where there is no internet.
    app = FastAPIOffline(
        title="Captcha reader",
        summary="From the image of a short text to the text.",
        description=DESCRIPTION,
        version=__version__,
        redoc_url=None,
        responses=ANY_ERROR,
        lifespan=_lifespan,
        telemetry=telemetry_config(tracer_provider, QUIET),
    )
    app.state.tracer_provider = tracer_provider
    app.state.settings = settings
    app.state.has_own_process = False
    app.state.reload = partial(reload_all_workers, app)
    app.state.limits = ImageLimits(max_pixels=settings.max_pixels, max_side=settings.max_side)
    app.state.bodies = Bodies(settings)
    app.state.metrics = Metrics(shared_folder())
    app.state.key_digests = digests_of(settings.api_keys)
    app.state.admin_digests = digests_of(settings.admin_keys)
    reading = {"/predict": predict.predict, "/predict/batch": predict.predict_batch}
    if tracer_provider is None:  # spans learn from the router which route it was
        app.add_middleware(ShortcutMiddleware, service=app, endpoints=reading)
    if settings.origins:
        allow_origins(app, settings.origins)
    if ANY not in settings.hosts:
        app.add_middleware(AllowedHostsMiddleware, hosts=settings.hosts)
    app.add_middleware(RequestContextMiddleware)  # around all that may answer
    if tracer_provider is not None:
        app.add_middleware(StageSpansMiddleware, tracer=tracer_provider.get_tracer("app", __version__))
    add_problem_handlers(app)
    for router in (predict.router, models.router, health.router):
        app.include_router(router)
    if settings.metrics != "off":
        app.include_router(metrics.router)
    # FastAPI documents these two; Starlette serves them, which leaves out what FastAPI would do for their parameters.
    for path, endpoint in reading.items():
        app.router.routes.insert(0, Route(path, endpoint, methods=["POST"]))
    add_page(app)
    app.state.paths = frozenset(route.path for route in app.routes if isinstance(route, Route))
    complete_openapi(app, {health.TAG, metrics.TAG} if settings.metrics == "open" else {health.TAG})
    return app


def create_app_for_server() -> FastAPI:
    """What each worker process of `python -m app` serves."""
    settings = Settings()
    configure_logging(settings)
    give_back_large_buffers()
    DeadlineProtocol.configure(settings)
    app = create_app(settings)
    app.state.has_own_process = True
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    threads = settings.threads or max(1, available_cpus() // settings.workers)
    waiting = (settings.max_waiting, settings.request_timeout, app.state.metrics.waiting)
    app.state.threads = Threads(threads, *waiting)
    gather_seconds = settings.gather_milliseconds / 1000
    app.state.reader = (
        Gathering(gather_seconds, app.state.threads, *waiting) if gather_seconds else SharedTurns(Turns(*waiting))
    )
    drain_on_sigterm(app.state, settings.drain_seconds)
    log.info("starting", threads=threads)
    app.state.store = ModelStore(
        settings.model_store, settings.default_model, is_stopping=lambda: bool(app.state.draining)
    )
    app.state.reloading = asyncio.Lock()
    await warm_up(app)
    show_changes(app, None)
    reload_on_sighup(app)
    if app.state.has_own_process:
        keep_what_there_is()
    yield
    if app.state.tracer_provider is not None:
        await send_last_spans(app.state.tracer_provider)
