"""Limit on the bytes of request bodies that a worker holds, so that many large ones do not fill the memory."""

from http import HTTPStatus

from starlette.types import Scope

from app.api.problems import TOO_MANY_BYTES, ApiError, retry_after
from app.settings import Settings
from app.shared.memory import share_of_memory

ENVELOPE_BYTES = 16_384
"""Maximum overhead of a form or JSON document over its images."""
MAX_LARGEST_REQUESTS, ALL_MEMORY_DIVISOR, LARGEST_MEMORY_DIVISOR = 4, 8, 3
"""Limits for all requests: four of the largest size, and an eighth of the memory, or a third if one request needs it.
The rest is for copies of their content."""
MIN_BYTES = 1 << 20
"""Lower bound of the limit, however little memory there is."""


class Bodies:
    """Counter of the bytes held: at most those of four requests of the largest size, fewer if memory is short.

    Attributes:
        max_bytes: limit for all requests together, and so for each.
    """

    def __init__(self, settings: Settings) -> None:
        largest = max(settings.max_batch_bytes, 2 * settings.max_upload_bytes + ENVELOPE_BYTES)
        memory = share_of_memory(settings.workers)
        fitting = max(memory // ALL_MEMORY_DIVISOR, min(largest, memory // LARGEST_MEMORY_DIVISOR), MIN_BYTES)
        self.max_bytes = min(MAX_LARGEST_REQUESTS * largest, fitting)
        self._held = 0

    def hold(self, scope: Scope, size: int) -> None:
        """Count more bytes of a request until it ends.

        Raises:
            ApiError: 503 if they exceed the limit.
        """
        if self._held + size > self.max_bytes:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY_BYTES, retry_after())
        self._held += size
        state = scope["state"]
        state["held"] = state.get("held", 0) + size

    def release(self, scope: Scope) -> None:
        """Release the bytes of a finished request."""
        self._held -= scope["state"].pop("held", 0)
