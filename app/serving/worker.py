"""Loading of the application in a server process: models are tested while FastAPI is imported."""

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from pydantic import BaseModel

from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.imports import hidden
from app.shared.memory import disable_garbage_collection

SHIPPED_MODELS = 2
"""All are tested at once: a test that begins later cannot fork and takes a second longer."""


class WorkerConfig(uvicorn.Config):
    """Uvicorn's configuration for a server process."""

    def begin(self) -> None:
        """Start to test the models, while this process has one thread: only then may it be forked."""
        disable_garbage_collection()
        from app.inference.models.trial import begin_trials

        settings = Settings()
        begin_trials(settings.model_store, max(SHIPPED_MODELS, available_cpus() // settings.workers))

    def load(self) -> None:
        """Import and create the application and the other objects that the configuration names."""
        with hidden("pydantic.v1"):  # FastAPI checks every route for models of it; there are none
            with models_built_on_use():
                import app.api.schemas  # noqa: F401 - imports FastAPI
            super().load()


@contextmanager
def models_built_on_use() -> Iterator[None]:
    """Defer building of Pydantic models defined in the block until their first use.

    FastAPI's forty models for OpenAPI and most of ours only describe the API. Building them takes an eighth of the
    start-up time.
    """
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
