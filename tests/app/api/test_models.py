"""`GET /models`: loaded and broken models."""

import hashlib
import json
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from PIL import Image

Problem = Callable[[Any, int], dict[str, Any]]


@pytest.fixture
def store(tmp_path: Path, shipped_model: Path) -> Path:
    """A model store with the shipped model as version 10 of `captcha`."""
    folder = tmp_path / "store"
    shutil.copytree(shipped_model, folder / "captcha" / "10")
    return folder


def test_the_shipped_models_are_listed(client: TestClient, shipped_model: Path) -> None:
    configs = yaml.safe_load((shipped_model / "configs.yaml").read_text())
    card = json.loads((shipped_model / "metrics.json").read_text())
    answer = client.get("/models").json()
    assert answer["broken"] == []
    model, general = answer["models"]
    assert (general["name"], general["default"]) == ("general", False)
    assert model["name"] == "captcha"
    assert model["default"] is True
    version = model["versions"][0]
    assert list(version) == ["version", "vocabulary", "input", "metrics", "created", "sha256", "sample"]
    assert version["version"] == shipped_model.name
    assert version["vocabulary"] == configs["vocab"]
    assert version["input"] == {key: configs[key] for key in ("width", "height", "channels")}
    assert version["metrics"] == {key: card["validation"][key] for key in ("images", "words_right", "cer", "wer")}
    assert version["created"].removesuffix("Z") == card["created"].removesuffix("+00:00")
    assert version["sha256"] == hashlib.sha256((shipped_model / "model.onnx").read_bytes()).hexdigest()


def test_a_model_is_shown_like_in_the_list(client: TestClient) -> None:
    assert client.get("/models/captcha").json() == client.get("/models").json()["models"][0]


def test_each_version_has_a_sample_that_it_reads(client: TestClient) -> None:
    for model in client.get("/models").json()["models"]:
        version = model["versions"][0]
        sample = client.get(f"/models/{model['name']}/sample", params={"version": version["version"]})
        assert sample.status_code == 200
        assert sample.headers["content-type"] == "image/png"
        query = {"model": model["name"]}
        assert client.post("/predict", params=query, content=sample.content).json()["text"] == version["sample"]


def test_the_media_type_of_a_sample_follows_from_its_content(
    store: Path, start: Callable[..., TestClient], samples: dict[str, bytes]
) -> None:
    folder = store / "captcha" / "10"
    (folder / "SHA256SUMS").unlink()
    (folder / "golden.txt").write_text("ef2ec\n")
    Image.open(BytesIO(samples["ef2ec"])).convert("L").save(folder / "golden.png", "BMP")
    assert start(model_store=store).get("/models/captcha/sample").headers["content-type"] == "image/bmp"


def test_a_version_without_a_golden_image_has_no_sample(
    store: Path, start: Callable[..., TestClient], problem: Problem
) -> None:
    for name in ("golden.png", "golden.txt", "SHA256SUMS"):
        (store / "captcha" / "10" / name).unlink()
    client = start(model_store=store)
    assert client.get("/models/captcha").json()["versions"][0]["sample"] is None
    assert "no sample" in problem(client.get("/models/captcha/sample"), 404)["detail"]


@pytest.mark.parametrize(
    "path", ["unknown/sample", "%2e%2e/sample", "captcha/sample?version=unknown", "captcha/sample?version=../captcha/1"]
)
def test_a_model_that_is_not_loaded_has_no_sample(client: TestClient, problem: Problem, path: str) -> None:
    problem(client.get(f"/models/{path}"), 404)


@pytest.mark.parametrize("name", ["unknown", "%2e%2e", "a%2Fb", "%00", "%C3%A9", "x" * 2000])
def test_an_unknown_model_is_not_found(client: TestClient, problem: Problem, name: str) -> None:
    detail = problem(client.get(f"/models/{name}"), 404)["detail"]
    assert name not in detail


def test_the_versions_of_a_model_come_newest_first(store: Path, start: Callable[..., TestClient]) -> None:
    for version in ("9", "11"):
        shutil.copytree(store / "captcha" / "10", store / "captcha" / version)
    shutil.copytree(store / "captcha" / "10", store / "another" / "1")
    client = start(model_store=store, default_model="another")
    another, captcha = client.get("/models").json()["models"]
    assert [version["version"] for version in captcha["versions"]] == ["11", "10", "9"]
    assert (another["name"], another["default"], captcha["default"]) == ("another", True, False)


def test_the_newest_version_of_the_default_model_reads_by_default(
    store: Path, start: Callable[..., TestClient], samples: dict[str, bytes]
) -> None:
    shutil.copytree(store / "captcha" / "10", store / "captcha" / "9")
    shutil.copytree(store / "captcha" / "10", store / "another" / "1")
    client = start(model_store=store)
    for query, model in (
        ({}, {"name": "captcha", "version": "10"}),
        ({"version": "9"}, {"name": "captcha", "version": "9"}),
        ({"model": "another"}, {"name": "another", "version": "1"}),
    ):
        answer = client.post("/predict", params=query, content=samples["ef2ec"]).json()
        assert (answer["text"], answer["model"]) == ("ef2ec", model)


def break_graph(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    (folder / "model.onnx").write_bytes(b"not a graph")


def take_graph(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def break_configs(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    (folder / "configs.yaml").write_text("width: [")


def lengthen_vocabulary(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    configs = yaml.safe_load((folder / "configs.yaml").read_text())
    (folder / "configs.yaml").write_text(yaml.safe_dump(configs | {"vocab": configs["vocab"] + "z"}))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (break_graph, "model.onnx is not an ONNX model"),
        (take_graph, "model.onnx cannot be read: No such file or directory"),
        (break_configs, "configs.yaml is not plain YAML"),
        (lengthen_vocabulary, "vocabulary"),
    ],
)
def test_a_broken_folder_is_listed_with_the_reason_and_does_not_affect_others(
    store: Path,
    start: Callable[..., TestClient],
    samples: dict[str, bytes],
    harm: Callable[[Path], None],
    reason: str,
) -> None:
    shutil.copytree(store / "captcha" / "10", store / "captcha" / "11")
    harm(store / "captcha" / "11")
    client = start(model_store=store)
    response = client.get("/models")
    (broken,) = response.json()["broken"]
    assert (broken["name"], broken["version"]) == ("captcha", "11")
    assert reason in broken["reason"]
    assert str(store.parent) not in response.text
    assert client.get("/readyz").status_code == 200
    answer = client.post("/predict", content=samples["ef2ec"]).json()
    assert (answer["text"], answer["model"]["version"]) == ("ef2ec", "10")


@pytest.mark.parametrize("card", [{}, {"validation": {"images": 3}}, {"validation": 1}, {"created": "yesterday"}])
def test_a_card_of_another_program_is_ignored(
    store: Path, start: Callable[..., TestClient], card: dict[str, Any]
) -> None:
    (store / "captcha" / "10" / "metrics.json").write_text(json.dumps(card))
    version = start(model_store=store).get("/models/captcha").json()["versions"][0]
    assert (version["metrics"], version["created"]) == (None, None)


def test_a_model_without_a_card_is_listed(store: Path, start: Callable[..., TestClient]) -> None:
    (store / "captcha" / "10" / "metrics.json").unlink()
    version = start(model_store=store).get("/models/captcha").json()["versions"][0]
    assert (version["metrics"], version["created"]) == (None, None)


def test_an_empty_store_has_no_models(tmp_path: Path, start: Callable[..., TestClient]) -> None:
    assert start(model_store=tmp_path).get("/models").json() == {"models": [], "broken": []}
