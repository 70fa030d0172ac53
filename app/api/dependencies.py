"""What the routes are given."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from app.api.admission import Threads
from app.api.problems import NO_ADMIN_KEY, WRONG_ADMIN_KEY, WRONG_KEY, ApiError
from app.inference.models.store import ModelStore
from app.observability.metrics import WAIT, Work
from app.shared.stopwatch import Stopwatch

T = TypeVar("T")


async def get_store(request: Request) -> ModelStore:
    """The models of this application."""
    store: ModelStore = request.app.state.store
    return store


StoreDep = Annotated[ModelStore, Depends(get_store)]


def digests_of(keys: Iterable[str]) -> list[bytes]:
    """What keys are told by, so that they are compared in the same time whatever they are."""
    return [hashlib.sha256(key.encode()).digest() for key in keys]


def check_api_key(request: Request) -> None:
    """Refuse a request without one of the keys, where any is set: `Authorization: Bearer KEY` or `X-API-Key: KEY`.

    Raises:
        ApiError: the key is missing or wrong.
    """
    digests = request.app.state.key_digests
    if digests and not key_matches(request, digests):
        raise _unauthorized(WRONG_KEY)


def check_admin_key(request: Request) -> None:
    """Refuse a request without the admin key, sent as the API keys are.

    Raises:
        ApiError: the key is missing or wrong, or the service has none.
    """
    digests = request.app.state.admin_digests
    if not digests:
        raise ApiError(HTTPStatus.FORBIDDEN, NO_ADMIN_KEY)
    if not key_matches(request, digests):
        raise _unauthorized(WRONG_ADMIN_KEY)


def key_matches(request: Request, digests: Sequence[bytes]) -> bool:
    """Whether a request carries one of the keys whose digests these are."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    sent = credentials.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()
    digest = hashlib.sha256(sent.encode("latin-1")).digest()
    return sum(secrets.compare_digest(digest, known) for known in digests) > 0  # all of them, also after a match


def _unauthorized(detail: str) -> ApiError:
    return ApiError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def work_of(request: Request) -> Work:
    """What a request has asked of a model."""
    work: Work = request.scope["state"]["work"]
    return work


async def in_worker_thread(request: Request, watch: Stopwatch, work: Callable[[], T]) -> T:
    """Do work that would block the event loop, at most as many at a time as `OCR_THREADS` says.

    Args:
        request: who asks.
        watch: notes how long it waited.
        work: what to do.

    Raises:
        ApiError: 503, too many are waiting; 504, the work could not be begun in time.
    """
    threads: Threads = request.app.state.threads

    def begin() -> T:
        watch.lap(WAIT)
        return work()

    return await threads.run(begin)
