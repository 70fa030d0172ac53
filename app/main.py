"""The application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import structlog
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from app import __version__
from app.api import health, models, predict
from app.api.admission import Turns
from app.api.openapi import complete_openapi
from app.api.problems import ANY_ERROR, add_problem_handlers
from app.api.request_context import RequestContextMiddleware
from app.api.warm_up import warm_up
from app.inference.cpus import available_cpus
from app.inference.images import ImageLimits
from app.inference.store import ModelStore
from app.observability.logs import configure_logging
from app.settings import Settings

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

    # Its page /docs brings its scripts along, so it works where there is no internet.
    app = FastAPIOffline(
        title="Captcha reader",
        summary="From the image of a short text to the text.",
        description=DESCRIPTION,
        version=__version__,
        redoc_url=None,
        responses=ANY_ERROR,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.limits = ImageLimits(max_pixels=settings.max_pixels, max_side=settings.max_side)
    app.add_middleware(RequestContextMiddleware)
    add_problem_handlers(app)
    for router in (predict.router, models.router, health.router):
        app.include_router(router)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("docs")

    complete_openapi(app)
    return app


def create_app_for_server() -> FastAPI:
    """What each worker process of `python -m app` serves."""
    settings = Settings()
    configure_logging(settings)
    return create_app(settings)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    threads = settings.threads or max(1, available_cpus() // settings.workers)
    app.state.turns = Turns(settings.max_waiting)
    app.state.thread_limiter = anyio.CapacityLimiter(threads)
    store = ModelStore(settings.model_store, settings.default_model)
    app.state.store = store
    await warm_up(app)
    for name, versions in store.models.items():
        for stored in versions.values():
            log.info(
                "model loaded",
                model=name,
                version=stored.version,
                providers=stored.model.providers,
                threads=threads,
            )
    for broken in store.broken:
        log.error("model broken", model=broken.name, version=broken.version, reason=broken.reason)
    if settings.default_model not in store.models:
        log.error("not ready: the default model is not loaded", model=settings.default_model)
    yield
