"""A bound on the bytes of request bodies that a worker holds, so that many large ones do not fill the memory."""

from http import HTTPStatus

from starlette.types import Scope

from app.api.problems import TOO_MANY_BYTES, ApiError, retry_after
from app.settings import Settings
from app.shared.memory import share_of_memory

ENVELOPE_BYTES = 16_384
"""How much a form or a JSON document may be larger than the images in it."""
MAX_AT_A_TIME, PART_OF_MEMORY, LARGEST_PART = 4, 8, 3
"""So many of the largest requests are held, or so small a part of the memory; one alone may be a larger part of it.
There are copies of what is in them."""
LEAST_BYTES = 1 << 20
"""That are held, however little memory there is."""


class Bodies:
    """Counts the bytes that are held, of at most four requests of the largest size, of one where memory is short.

    Attributes:
        max_bytes: how many are held at a time, and so the most that a request may have.
    """

    def __init__(self, settings: Settings) -> None:
        largest = max(settings.max_batch_bytes, 2 * settings.max_upload_bytes + ENVELOPE_BYTES)
        memory = share_of_memory(settings.workers)
        fitting = max(memory // PART_OF_MEMORY, min(largest, memory // LARGEST_PART), LEAST_BYTES)
        self.max_bytes = min(MAX_AT_A_TIME * largest, fitting)
        self._held = 0

    def hold(self, scope: Scope, size: int) -> None:
        """Count more bytes until the request is over.

        Raises:
            ApiError: 503, there would be too many.
        """
        if self._held + size > self.max_bytes:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY_BYTES, retry_after())
        self._held += size
        state = scope["state"]
        state["held"] = state.get("held", 0) + size

    def release(self, scope: Scope) -> None:
        """Forget the bytes of a request that is over."""
        self._held -= scope["state"].pop("held", 0)
