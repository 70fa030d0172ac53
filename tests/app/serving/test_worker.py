"""Start of a server process: its imports, its schemas, and the test of its models."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from uvicorn import Server

from app.serving.supervisor import WorkerProcess
from app.serving.worker import WorkerConfig, models_built_on_use
from tests.waiting import GENEROUS_SECONDS

LOAD = """
import json, sys
from app.serving.worker import WorkerConfig
config = WorkerConfig(
    "app.serving.application:create_app_for_server",
    factory=True,
    http="app.serving.server:DeadlineProtocol",
    proxy_headers=False,
)
config.load()
modules = [name for name, module in sys.modules.items() if module is not None]
print(json.dumps({"modules": modules, "document": config.loaded_app.openapi()}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def loaded(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the modules that loading the application imports, and the OpenAPI document that it then creates."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / "model_store").mkdir()
    finished = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=folder,
        env={"PYTHONPATH": str(repository), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=GENEROUS_SECONDS,
    )
    found: dict[str, Any] = json.loads(finished.stderr)
    return found


def test_loading_imports_nothing_that_the_first_requests_do_not_need(loaded: dict[str, Any]) -> None:
    assert {"fastapi", "onnxruntime", "cv2"} <= set(loaded["modules"])
    unneeded = {"PIL", "typer", "rich", "pydantic.v1", "email_validator", "prometheus_client", "opentelemetry.sdk"}
    assert not unneeded & set(loaded["modules"])


def test_the_openapi_document_can_be_created_from_deferred_models(loaded: dict[str, Any]) -> None:
    assert "/predict" in loaded["document"]["paths"]


def test_models_are_built_on_use_inside_the_block_and_at_once_after_it() -> None:
    with models_built_on_use():

        class Later(BaseModel):
            number: int

    class AtOnce(BaseModel):
        number: int

    assert not Later.__pydantic_complete__
    assert AtOnce.__pydantic_complete__
    assert Later(number="1") == Later(number=1)


def test_a_worker_starts_to_test_models_while_it_has_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: dict[str, int] = {}
    ended = threading.Event()
    monkeypatch.setattr(WorkerConfig, "begin", lambda _: threads.update(begin=threading.active_count()))
    monkeypatch.setattr(Server, "run", lambda *_: threads.update(run=threading.active_count()))
    monkeypatch.setattr(WorkerProcess, "always_pong", lambda _: ended.wait())
    before = threading.active_count()
    try:
        WorkerProcess(WorkerConfig("none", workers=1, log_config=None), []).target()
    finally:
        ended.set()
    assert threads == {"begin": before, "run": before + 1}
