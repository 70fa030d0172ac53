"""Loading of the application in a server process: models are tested while FastAPI is imported."""

import uvicorn

from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.imports import hidden
from app.shared.memory import collect_nothing_yet


class WorkerConfig(uvicorn.Config):
    """Uvicorn's configuration for a server process."""

    def load(self) -> None:
        """Import and create the application and the other objects that the configuration names."""
        collect_nothing_yet()
        from app.inference.models.trial import begin_trials

        settings = Settings()
        begin_trials(settings.model_store, max(1, available_cpus() // settings.workers))
        with hidden("pydantic.v1"):  # FastAPI checks every route for its models; there are none
            super().load()
