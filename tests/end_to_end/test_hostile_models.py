"""Models by mistake or malice in the store of the real service: the others are served, and it ends when told to."""

import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import Server
from tests.hostile_models import write_allocating, write_good, write_looping, write_without_steps

RunServer = Callable[..., Server]
KEY = {"X-API-Key": "sesame"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of one good model."""
    write_good(tmp_path / "store" / "good" / "1")
    return tmp_path / "store"


def start(run_server: RunServer, store: Path, workers: int = 1) -> Server:
    return run_server(
        OCR_MODEL_STORE=str(store), OCR_DEFAULT_MODEL="good", OCR_ADMIN_KEY="sesame", OCR_WORKERS=str(workers)
    )


def broken(server: Server) -> dict[str, str]:
    """The reasons why models are not loaded, by their names."""
    return {each["name"]: each["reason"] for each in httpx.get(f"{server.url}/models").json()["broken"]}


def test_the_others_are_served_and_the_log_says_why(run_server: RunServer, store: Path) -> None:
    write_without_steps(store / "stepless" / "1")
    write_allocating(store / "large" / "1", 8)
    write_good(store / "deep" / "1")
    (store / "deep" / "1" / "configs.yaml").write_text("[" * 100_000)
    write_good(store / "my model" / "1")
    server = start(run_server, store)
    reasons = broken(server)
    assert set(reasons) == {"stepless", "large", "deep", "my model"}
    assert [model["name"] for model in httpx.get(f"{server.url}/models").json()["models"]] == ["good"]
    for name in reasons:
        server.wait_for_log(f'"model":"{name}".*"model broken"')


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_one_that_loops_is_refused_by_a_reload_and_does_not_hold_up_the_end(
    run_server: RunServer, store: Path, workers: int
) -> None:
    server = start(run_server, store, workers)
    write_looping(store / "loop" / "1")
    answer = httpx.post(f"{server.url}/models/reload", headers=KEY).json()
    assert answer["unchanged"] == [{"name": "good", "version": "1"}]
    assert "takes too long" in answer["broken"][0]["reason"]
    server.process.send_signal(signal.SIGHUP)
    assert server.stop() == 0
