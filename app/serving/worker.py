"""How a process that serves loads the application: models are tried while FastAPI is imported."""

import uvicorn

from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.imports import hidden
from app.shared.memory import collect_nothing_yet


class WorkerConfig(uvicorn.Config):
    """What uvicorn is to do in a process that serves."""

    def load(self) -> None:
        """Import and make the application, and what else is named by strings."""
        collect_nothing_yet()
        from app.inference.models.trial import begin_trials

        settings = Settings()
        begin_trials(settings.model_store, max(1, available_cpus() // settings.workers))
        with hidden("pydantic.v1"):  # FastAPI looks for its models in every route; there are none
            super().load()
