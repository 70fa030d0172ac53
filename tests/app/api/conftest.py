"""In-process clients of the application."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.serving.application import create_app
from app.settings import PREFIX, Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette recommends httpx2, the successor of httpx
    from fastapi.testclient import TestClient

PROBLEM_KEYS = {"type", "title", "status", "detail", "instance", "request_id"}
HERE = str(Path(__file__).parents[3])
NEVER_SHOWN = ("Traceback", "Error:", "Exception", ".py", HERE, "/usr", "/home", "site-packages")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _log_lines_are_plain() -> Iterator[None]:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def settings(repository: Path) -> Callable[..., Settings]:
    """Return a factory of settings with defaults, except for the model store."""

    def make(**given: Any) -> Settings:
        return Settings(**({"model_store": repository / "model_store"} | given), _env_file=None)

    return make


@pytest.fixture(scope="session")
def client(settings: Callable[..., Settings]) -> Iterator[TestClient]:
    """Return a client of the service with default settings."""
    with TestClient(create_app(settings()), follow_redirects=False) as started:
        yield started


@pytest.fixture
def start(settings: Callable[..., Settings]) -> Iterator[Callable[..., TestClient]]:
    """Return a factory of clients of the service with other settings."""
    with ExitStack() as stack:

        def start(**given: Any) -> TestClient:
            application = create_app(settings(**given))
            return stack.enter_context(TestClient(application, raise_server_exceptions=False))

        yield start


@pytest.fixture(scope="session")
def problem() -> Callable[[Any, int], dict[str, Any]]:
    """Return a function that checks a problem response and its status, and returns the document."""

    def check(response: Any, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = response.json()
        assert set(document) == PROBLEM_KEYS
        assert document["type"] == "about:blank"
        assert document["status"] == status
        assert document["title"] == HTTPStatus(status).phrase
        assert document["request_id"] == response.headers["x-request-id"]
        assert document["instance"].startswith("/")
        assert document["instance"].isascii()
        assert document["detail"].endswith(".")
        for shown in NEVER_SHOWN:
            assert shown not in document["detail"]
        return document

    return check
