"""API and admin keys: `Authorization: Bearer KEY` or `X-API-Key: KEY`."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from fastapi import Depends, Request

from app.api.problems import NO_ADMIN_KEY, WRONG_ADMIN_KEY, WRONG_KEY, ApiError
from app.api.service import service_of

UNAUTHORIZED_HEADERS = {"WWW-Authenticate": "Bearer"}


async def check_api_key(request: Request) -> None:
    """Raise `ApiError` for a request without one of the API keys, if any are set."""
    digests = service_of(request).api_keys
    if digests and not _key_matches(request, digests):
        raise ApiError(HTTPStatus.UNAUTHORIZED, WRONG_KEY, UNAUTHORIZED_HEADERS)


async def check_admin_key(request: Request) -> None:
    """Raise `ApiError` for a request without the admin key, or if the service has none."""
    digests = service_of(request).admin_keys
    if not digests:
        raise ApiError(HTTPStatus.FORBIDDEN, NO_ADMIN_KEY)
    if not _key_matches(request, digests):
        raise ApiError(HTTPStatus.UNAUTHORIZED, WRONG_ADMIN_KEY, UNAUTHORIZED_HEADERS)


NEEDS_API_KEY = [Depends(check_api_key)]
NEEDS_ADMIN_KEY = [Depends(check_admin_key)]


def digests_of(keys: Iterable[str]) -> list[bytes]:
    """Return the SHA-256 of each key, so that a comparison takes the same time for all."""
    return [hashlib.sha256(key.encode()).digest() for key in keys]


def _key_matches(request: Request, digests: Sequence[bytes]) -> bool:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    sent = credentials.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()
    digest = hashlib.sha256(sent.encode("latin-1")).digest()
    return sum(secrets.compare_digest(digest, known) for known in digests) > 0  # compares all, even after a match
