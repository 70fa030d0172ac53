"""`python -m app serve`: starts with the settings, or stops with an error message."""

import gc
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import uvicorn

from app import __version__
from app.__main__ import main
from app.settings import Settings


@pytest.fixture(autouse=True)
def folder(empty_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of the service."""
    monkeypatch.setattr(sys, "argv", ["python -m app", "serve"])
    yield empty_environment
    gc.enable()  # a start does without until it serves


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[uvicorn.Config]]:
    """Return the configurations passed to uvicorn, without starting it."""
    configs: list[uvicorn.Config] = []

    def run(server: uvicorn.Server) -> None:
        configs.append(server.config)
        server.started = True

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("app.observability.logs.configure_logging", lambda _settings: None)
    monkeypatch.setenv("OCR_PORT", "0")
    monkeypatch.setattr(uvicorn.Server, "run", run)
    yield configs
    signal.signal(signal.SIGTERM, before)


def status() -> object:
    """Run the command line; return its exit status."""
    try:
        main()
    except SystemExit as ended:
        return ended.code
    return 0


def stopped(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines on standard error of a start that must fail."""
    assert status() == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err.splitlines()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OCR_PORT", "eighty"),
        ("OCR_PORT", "65536"),
        ("OCR_WORKERS", "0"),
        ("OCR_MODEL_STORE", "nowhere"),
        ("OCR_MAX_UPLOAD_BYTES", "1MB"),
        ("OCR_MAX_PIXELS", "-1"),
        ("OCR_LOG_FORMAT", "xml"),
        ("OCR_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = stopped(capsys)
    assert line.startswith(f"{name}: ")
    assert len(line) > len(f"{name}: ") + 10


def test_each_wrong_value_has_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OCR_PORT", "x")
    monkeypatch.setenv("OCR_WORKERS", "x")
    assert [line.partition(":")[0] for line in stopped(capsys)] == ["OCR_PORT", "OCR_WORKERS"]


def test_a_missing_model_store_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model_store").rmdir()
    assert stopped(capsys) == [f"OCR_MODEL_STORE: There is no folder {folder / 'model_store'}."]


def test_the_key_is_not_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OCR_API_KEY", "opensesame")
    monkeypatch.setenv("OCR_PORT", "x")
    assert "opensesame" not in "".join(stopped(capsys))


def test_the_server_listens_at_the_address_in_the_settings(
    monkeypatch: pytest.MonkeyPatch, served: list[uvicorn.Config]
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        port = listener.getsockname()[1]
    for name, value in {"OCR_HOST": "127.0.0.2", "OCR_PORT": str(port)}.items():
        monkeypatch.setenv(name, value)
    assert status() == 0
    (options,) = served
    assert (options.host, options.port) == ("127.0.0.2", port)


def test_an_unusable_address_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("OCR_PORT", str(port))
        assert stopped(capsys) == [
            f"OCR_HOST, OCR_PORT: Cannot listen on 127.0.0.1, port {port}: Address already in use"
        ]
    monkeypatch.setenv("OCR_HOST", "no host")
    (line,) = stopped(capsys)
    assert line.startswith(f"OCR_HOST, OCR_PORT: Cannot listen on no host, port {port}: ")


def test_a_failed_start_has_an_exit_status(monkeypatch: pytest.MonkeyPatch, served: list[uvicorn.Config]) -> None:
    monkeypatch.setattr(uvicorn.Server, "run", lambda _server: None)
    assert status() == 3
    assert not served


def test_responses_have_no_server_header(served: list[uvicorn.Config]) -> None:
    assert status() == 0
    assert served[0].server_header is False


def test_an_unknown_variable_is_reported_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, served: list[uvicorn.Config]
) -> None:
    monkeypatch.setenv("OCR_MODELSTORE", "opensesame")
    with structlog.testing.capture_logs() as lines:
        assert status() == 0
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["variable"], line["nearest"]) == ("OCR_MODELSTORE", "OCR_MODEL_STORE")
    assert "opensesame" not in str(line)
    assert served


def test_the_first_line_has_the_version_and_the_model_store(folder: Path, served: list[uvicorn.Config]) -> None:
    with structlog.testing.capture_logs() as lines:
        assert status() == 0
    assert (lines[0]["version"], lines[0]["model_store"]) == (__version__, str(folder / "model_store"))
    assert served


def test_another_model_store_can_be_selected_for_all_workers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, served: list[uvicorn.Config]
) -> None:
    monkeypatch.setenv("OCR_MODEL_STORE", "nowhere")
    monkeypatch.setattr(sys, "argv", ["python -m app", "serve", "--model-store", str(folder / "model_store")])
    assert status() == 0
    assert Settings().model_store == folder / "model_store"


def test_known_variables_are_not_reported(monkeypatch: pytest.MonkeyPatch, served: list[uvicorn.Config]) -> None:
    monkeypatch.setenv("OCR_THREADS", "2")
    monkeypatch.setenv("OTHER", "1")
    with structlog.testing.capture_logs() as lines:
        assert status() == 0
    assert not [line for line in lines if line["log_level"] == "warning"]
