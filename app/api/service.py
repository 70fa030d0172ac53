"""State that the routes of an application share."""

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
    """State of a started service.

    Attributes:
        settings: as read at the start of the service.
        api_keys, admin_keys: digests, see `app.api.keys`; empty if no key is set.
        metrics: of this worker.
        batcher: reads images.
        store: the loaded models; a reload replaces it as a whole.
        limits: of image sizes.
        stopping: set when the service is about to stop.
        reload: reloads the model store in all workers.
        reloading: held during a reload.
        bodies: limits the bytes of request bodies held.
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
    """Return the service of a request."""
    service: Service = request.app.state.service
    return service


async def _get_service(request: Request) -> Service:
    return service_of(request)


ServiceDep = Annotated[Service, Depends(_get_service)]
