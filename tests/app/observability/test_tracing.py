"""Conditions for traces; see also tests/end_to_end/test_tracing.py."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.api.request_context import RequestContextMiddleware
from app.observability.tracing import ENDPOINTS, make_tracer_provider
from app.serving.application import create_app
from app.settings import Settings

SDK = "opentelemetry.sdk"


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENDPOINTS:
        monkeypatch.delenv(variable, raising=False)


def test_without_an_endpoint_the_sdk_is_not_imported(repository: Path) -> None:
    script = (
        "import sys; from app.serving.application import create_app; create_app();"
        f" sys.exit(any(name.startswith('{SDK}') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=repository, check=False).returncode == 0


def test_without_an_endpoint_there_is_no_middleware(repository: Path) -> None:
    app = create_app(Settings(model_store=repository / "model_store", _env_file=None))
    added: list[object] = [each.cls for each in app.user_middleware]
    assert added == [RequestContextMiddleware]


@pytest.mark.parametrize("variable", ENDPOINTS)
def test_an_endpoint_without_the_sdk_is_logged(
    repository: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with capture_logs() as lines:
        app = create_app(Settings(model_store=repository / "model_store", _env_file=None))
    (line,) = lines
    assert (line["log_level"], line["variable"]) == ("warning", variable)
    assert "requirements/tracing.txt" in line["event"]
    assert len(app.user_middleware) == 1  # the middleware of every request


def test_an_empty_variable_means_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "")
    assert make_tracer_provider() is None
