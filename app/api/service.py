"""What the routes of one application share."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from app.api.bodies import Bodies
from app.inference.batcher import Batcher
from app.inference.images import ImageLimits
from app.inference.models.store import Changes, ModelStore
from app.observability.metrics import Metrics
from app.settings import Settings


@dataclass
class Service:
    """A service that has been started.

    Attributes:
        settings: as they were when it started.
        api_keys, admin_keys: digests, see `app.api.keys`; empty where no key is set.
        metrics: what this worker counts.
        batcher: reads images.
        store: the models that are loaded; replaced as a whole by a reload.
        limits: which images are accepted.
        stopping: is set when the service is about to stop.
        reload: loads the model store anew, in this worker and in the others.
        reloading: held during a reload.
        bodies: counts the bytes of requests that are held.
    """

    settings: Settings
    api_keys: Sequence[bytes]
    admin_keys: Sequence[bytes]
    metrics: Metrics
    batcher: Batcher
    store: ModelStore
    limits: ImageLimits
    stopping: threading.Event
    reload: Callable[["Service"], Awaitable[Changes]]
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.bodies = Bodies(self.settings)


def service_of(request: Request) -> Service:
    """Return the service that a request was sent to."""
    service: Service = request.app.state.service
    return service


async def _get_service(request: Request) -> Service:
    return service_of(request)


ServiceDep = Annotated[Service, Depends(_get_service)]
