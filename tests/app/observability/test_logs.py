"""The log of a running service: one format, one line per request, no private data."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.conftest import running
from tests.ports import held_port
from tests.waiting import GENEROUS_SECONDS, answers_200, ending, wait_until

KEY = "opensesame-1234"
Line = dict[str, Any]


def read_log_of(repository: Path, folder: Path, **variables: str) -> str:
    """Start the service, send it every kind of request, stop it; return the log."""
    with running(folder / "service", repository, {"OCR_API_KEY": KEY, "OCR_MODELSTORE": "x"} | variables) as server:
        send_every_kind_of_request(server.port, (repository / "samples" / "ef2ec.png").read_bytes())
        server.stop()
    return server.log


def send_every_kind_of_request(port: int, image: bytes) -> None:
    headers = {"X-API-Key": KEY, "User-Agent": "secret agent", "Referer": "https://secret.example"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        document = {"image": base64.b64encode(image).decode()}
        assert client.post("/predict", content=image, headers={"X-Request-ID": "body"}).status_code == 200
        form = {"file": ("secret.png", image)}
        assert client.post("/predict", files=form, headers={"X-Request-ID": "form"}).status_code == 200
        assert client.post("/predict", json=document, headers={"X-Request-ID": "json"}).status_code == 200
        client.post("/predict", content=b"my secret text", headers={"X-Request-ID": "no-image"})
        client.post(
            "/predict",
            content=b"my secret text",
            headers={"X-Request-ID": "no-form", "Content-Type": "multipart/form-data; boundary=secret"},
        )
        client.get("/models", headers={"X-API-Key": "another secret", "X-Request-ID": "no-key"})
        client.get("/models?token=secret", headers={"X-Request-ID": "query"})
        client.get("/nope", headers={"X-Request-ID": "no-path"})
        client.get("/a%0A%1B[31m%22b", headers={"X-Request-ID": "strange-path"})
        client.put("/predict", headers={"X-Request-ID": "no-method"})
        for path in ("/livez", "/readyz", "/metrics"):  # not logged at this level
            assert client.get(path, headers={"X-Request-ID": "asked-by-machines"}).status_code == 200
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"no HTTP\r\n\r\n")
        connection.recv(1000)


STATUS = {
    "body": 200,
    "form": 200,
    "json": 200,
    "no-image": 415,
    "no-form": 400,
    "no-key": 401,
    "query": 200,
    "no-path": 404,
    "strange-path": 404,
    "no-method": 405,
}


@pytest.fixture(scope="module")
def json_log(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return read_log_of(repository, tmp_path_factory.mktemp("json"))


@pytest.fixture(scope="module")
def json_lines(json_log: str) -> list[Line]:
    return [json.loads(line) for line in json_log.splitlines()]


@pytest.fixture(scope="module")
def text_log(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return read_log_of(repository, tmp_path_factory.mktemp("text"), OCR_LOG_FORMAT="text")


class TestJson:
    def test_every_line_is_an_object_with_event_level_logger_and_time(self, json_lines: list[Line]) -> None:
        assert len(json_lines) > len(STATUS)
        for line in json_lines:
            assert isinstance(line["event"], str)
            assert line["level"] in {"debug", "info", "warning", "error"}
            assert line["logger"]
            when = datetime.fromisoformat(line["timestamp"])
            assert when.utcoffset() == timedelta(0)
            assert "color_message" not in line

    def test_every_request_has_just_one_line(self, json_lines: list[Line]) -> None:
        requests = [line for line in json_lines if line["event"] == "request"]
        assert {line["request_id"]: line["status"] for line in requests} == STATUS
        assert len(requests) == len(STATUS)

    def test_the_line_of_a_request_has_its_outcome(self, json_lines: list[Line]) -> None:
        (line,) = [line for line in json_lines if line.get("request_id") == "body"]
        assert (line["event"], line["level"]) == ("request", "info")
        assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
        assert 0 < line["milliseconds"] < 10_000

    def test_the_lines_of_uvicorn_have_the_same_format(self, json_lines: list[Line]) -> None:
        events = [line["event"] for line in json_lines if line["logger"].startswith("uvicorn")]
        for begin in ("Started server process", "Uvicorn running on", "Finished server"):
            assert any(event.startswith(begin) for event in events), begin

    def test_an_invalid_request_is_logged_with_its_id(self, json_lines: list[Line]) -> None:
        (line,) = [line for line in json_lines if line["event"] == "refused"]
        assert (line["status"], line["reason"]) == (400, "This is not an HTTP request.")
        assert re.fullmatch(r"[0-9a-f]{32}", line["request_id"])

    def test_the_loaded_models_are_logged(self, json_lines: list[Line], shipped_model: Path) -> None:
        versions = {line["model"]: line["version"] for line in json_lines if line["event"] == "model loaded"}
        assert set(versions) == {"captcha", "general"}
        assert versions["captcha"] == shipped_model.name

    def test_an_unknown_variable_is_logged(self, json_lines: list[Line]) -> None:
        (line,) = [line for line in json_lines if line["event"] == "unknown setting"]
        assert (line["level"], line["variable"], line["nearest"]) == ("warning", "OCR_MODELSTORE", "OCR_MODEL_STORE")


class TestText:
    def test_every_line_begins_with_time_and_level(self, text_log: str) -> None:
        for line in text_log.splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(info|warning|error) +\] \S", line), line

    def test_every_request_has_just_one_line(self, text_log: str) -> None:
        found = re.findall(r"\] request .*request_id=(\S+).* status=(\S+)", text_log)
        assert {request_id: int(status) for request_id, status in found} == STATUS
        assert len(found) == len(STATUS)

    def test_without_a_terminal_there_are_no_escape_sequences(self, text_log: str) -> None:
        assert "\x1b" not in text_log

    def test_the_lines_of_uvicorn_have_the_same_format(self, text_log: str) -> None:
        assert re.search(r"\[info +\] Started server process \[\d+\] +\[uvicorn.error\]", text_log)


@pytest.mark.parametrize("log", ["json_log", "text_log"])
class TestBoth:
    @pytest.fixture
    def text(self, request: pytest.FixtureRequest, log: str) -> str:
        value: str = request.getfixturevalue(log)
        return value

    def test_the_key_is_not_logged(self, text: str) -> None:
        assert KEY not in text

    def test_uploads_and_queries_are_not_logged(self, text: str, samples: dict[str, bytes]) -> None:
        assert "secret" not in text
        assert "IHDR" not in text
        assert base64.b64encode(samples["ef2ec"]).decode()[:40] not in text

    def test_texts_are_not_logged(self, text: str) -> None:
        assert "ef2ec" not in re.sub("[0-9a-f]{32}", "an id", text)

    def test_a_path_cannot_forge_a_line(self, text: str) -> None:
        (line,) = [line for line in text.splitlines() if "strange-path" in line]
        assert r"\n" in line
        assert "\x1b" not in line

    def test_client_errors_are_not_logged_as_errors(self, text: str) -> None:
        assert "Traceback" not in text
        assert not re.search(r"\[error|\"level\": ?\"error\"", text)


FAULT = """
import sys
import warnings

warnings.simplefilter("ignore")
from fastapi.testclient import TestClient

from app.serving.application import create_app
from app.observability.logs import configure_logging
from app.settings import Settings

def fail(*_):
    uploaded = "content of the upload"
    raise RuntimeError("out of order")

settings = Settings()
configure_logging(settings)
application = create_app(settings)
with TestClient(application) as client:
    application.state.service.store.get = fail
    client.get("/models/captcha", headers={"X-Request-ID": "mine", "X-API-Key": sys.argv[1]})
"""


@pytest.fixture
def log_of_a_fault(repository: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    def run(log_format: str) -> list[str]:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(repository), "OCR_LOG_FORMAT": log_format}
        environment |= {"OCR_MODEL_STORE": str(repository / "model_store"), "OCR_API_KEY": KEY}
        command = [sys.executable, "-c", FAULT, KEY]
        finished = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=GENEROUS_SECONDS, check=True
        )
        assert KEY not in finished.stdout
        assert "content of the upload" not in finished.stdout
        assert finished.stderr == ""
        return finished.stdout.splitlines()

    return run


def test_an_internal_error_is_in_the_json_log_with_its_traceback(log_of_a_fault: Callable[[str], list[str]]) -> None:
    lines = [json.loads(line) for line in log_of_a_fault("json")]
    (fault,) = [line for line in lines if line["level"] == "error"]
    assert (fault["event"], fault["request_id"], fault["path"]) == ("request failed", "mine", "/models/captcha")
    assert "RuntimeError: out of order" in fault["exception"]
    assert "in fail" in fault["exception"]
    statuses = {line["request_id"]: line["status"] for line in lines if line["event"] == "request"}
    assert statuses == {"mine": 500}


def test_an_internal_error_is_in_the_text_log_without_local_variables(
    log_of_a_fault: Callable[[str], list[str]],
) -> None:
    lines = log_of_a_fault("text")
    assert any("request failed" in line and "request_id=mine" in line for line in lines)
    assert "RuntimeError: out of order" in lines
    assert not any("│" in line for line in lines)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full here")
def test_requests_are_answered_if_lines_cannot_be_written(repository: Path, samples: dict[str, bytes]) -> None:
    with held_port() as port, Path("/dev/full").open("w") as full:
        environment = os.environ | {"OCR_PORT": str(port), "OCR_LOG_FORMAT": "json"}
        command = [sys.executable, "-m", "app"]
        process = subprocess.Popen(command, cwd=repository, env=environment, stdout=full, start_new_session=True)
        with ending(process):
            wait_until(lambda: answers_200(f"http://127.0.0.1:{port}/readyz"))
            answer = httpx.post(f"http://127.0.0.1:{port}/predict", content=samples["ef2ec"], timeout=GENEROUS_SECONDS)
    assert answer.json()["text"] == "ef2ec"
