"""The probes `/livez`, `/readyz` and `/health`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import __version__

Problem = Callable[[Any, int], dict[str, Any]]


def test_a_started_service_is_alive_and_ready(client: TestClient) -> None:
    for path, status in (("/livez", "alive"), ("/readyz", "ready"), ("/health", "ready")):
        response = client.get(path)
        assert response.status_code == 200
        assert response.json() == {"status": status, "version": __version__}


class TestWithoutTheDefaultModel:
    @pytest.fixture(params=["empty store", "broken model", "another default"])
    def unready(self, request: pytest.FixtureRequest, tmp_path: Path, start: Callable[..., TestClient]) -> TestClient:
        if request.param == "another default":
            return start(default_model="plates")
        if request.param == "broken model":
            (tmp_path / "captcha" / "1").mkdir(parents=True)
        return start(model_store=tmp_path)

    @pytest.mark.parametrize("path", ["/readyz", "/health"])
    def test_it_is_not_ready_and_says_where_to_look(self, unready: TestClient, problem: Problem, path: str) -> None:
        document = problem(unready.get(path), 503)
        assert "/models" in document["detail"]
        assert document["instance"] == path

    def test_it_is_alive(self, unready: TestClient) -> None:
        assert unready.get("/livez").status_code == 200

    def test_nothing_can_be_read(self, unready: TestClient, samples: dict[str, bytes], problem: Problem) -> None:
        problem(unready.post("/predict", content=samples["ef2ec"]), 404)
        problem(unready.post("/predict/batch", files={"files": samples["ef2ec"]}), 404)

    def test_the_models_are_listed(self, unready: TestClient) -> None:
        assert unready.get("/models").status_code == 200


def test_another_model_reads_if_selected(start: Callable[..., TestClient], samples: dict[str, bytes]) -> None:
    client = start(default_model="plates")
    response = client.post("/predict", params={"model": "captcha"}, content=samples["ef2ec"])
    assert response.json()["text"] == "ef2ec"


def test_the_probes_need_no_key(start: Callable[..., TestClient]) -> None:
    client = start(api_key="opensesame")
    for path in ("/livez", "/readyz", "/health"):
        assert client.get(path).status_code == 200
