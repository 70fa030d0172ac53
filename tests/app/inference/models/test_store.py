import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inference.models.store import MISNAMED, ModelStore, UnknownModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty store."""
    return tmp_path / "store"


@pytest.fixture
def add(folder: Path, shipped_model: Path) -> Any:
    """Return a function that adds a model to the store."""

    def add(name: str, version: str, metrics: str | None = None) -> Path:
        target = folder / name / version
        target.mkdir(parents=True)
        for file in ("model.onnx", "configs.yaml"):
            shutil.copy(shipped_model / file, target)
        if metrics is not None:
            (target / "metrics.json").write_text(metrics)
        return target

    return add


def loaded(store: ModelStore) -> dict[str, list[str]]:
    return {name: list(versions) for name, versions in store.models.items()}


def test_models_are_sorted_by_name_and_versions_newest_first(folder: Path, add: Any) -> None:
    for name, version in (("plates", "1"), ("captcha", "1"), ("captcha", "3"), ("captcha", "2")):
        add(name, version)
    store = ModelStore(folder, "captcha")
    assert list(store.models) == ["captcha", "plates"]
    assert loaded(store) == {"captcha": ["3", "2", "1"], "plates": ["1"]}
    assert store.broken == []


@pytest.mark.parametrize(
    "oldest_to_newest",
    [
        ["9", "10"],
        ["1.9", "1.10"],
        ["v2", "v10", "v100"],
        ["202511231200", "202611231200"],
        ["9", "202611231200"],
        ["2026-1-9", "2026-1-10", "2026-11-1"],
        ["1", "1.1"],
        ["a", "b"],
        ["7b", "7c", "8a"],
    ],
)
def test_numbers_in_versions_count_as_numbers(folder: Path, add: Any, oldest_to_newest: list[str]) -> None:
    for version in oldest_to_newest[1:] + oldest_to_newest[:1]:
        add("captcha", version)
    store = ModelStore(folder, "captcha")
    assert loaded(store) == {"captcha": oldest_to_newest[::-1]}
    assert store.get().version == oldest_to_newest[-1]


def test_versions_may_be_letters_or_numbers(folder: Path, add: Any) -> None:
    for version in ("1", "beta", "1beta", "beta1", "0.1"):
        add("captcha", version)
    assert sorted(ModelStore(folder, "captcha").models["captcha"]) == ["0.1", "1", "1beta", "beta", "beta1"]


def test_the_newest_version_of_the_default_model_is_the_default(folder: Path, add: Any) -> None:
    for name, version in (("captcha", "1"), ("captcha", "2"), ("plates", "5")):
        add(name, version)
    store = ModelStore(folder, "captcha")
    assert (store.get().name, store.get().version) == ("captcha", "2")
    assert store.get("plates").version == "5"
    assert store.get("captcha", "1").version == "1"
    assert store.get(version="1") is store.get("captcha", "1")
    assert store.get().model.configs.vocab


def test_an_unknown_name_is_refused_with_the_loaded_models(folder: Path, add: Any) -> None:
    add("captcha", "1")
    add("plates", "1")
    store = ModelStore(folder, "captcha")
    with pytest.raises(UnknownModelError, match=r"^No such model is loaded\. Loaded models: captcha, plates\.$"):
        store.get("faces")


def test_an_unknown_version_is_refused_with_the_loaded_versions(folder: Path, add: Any) -> None:
    add("captcha", "9")
    add("captcha", "10")
    add("plates", "4")
    store = ModelStore(folder, "captcha")
    with pytest.raises(UnknownModelError, match=r"^No such version is loaded\. Loaded versions: 10, 9\.$"):
        store.get("captcha", "4")


@pytest.mark.parametrize("name", ["../captcha", "captcha/1", "..", ".", "/etc", "captcha\0", "store/captcha"])
def test_names_cannot_escape_the_store(folder: Path, add: Any, name: str) -> None:
    add("captcha", "1")
    store = ModelStore(folder, "captcha")
    with pytest.raises(UnknownModelError, match=r"^No such model is loaded\. Loaded models: captcha\.$"):
        store.get(name)
    with pytest.raises(UnknownModelError, match=r"^No such version is loaded\. Loaded versions: 1\.$"):
        store.get("captcha", name)


def test_a_broken_folder_is_reported_and_the_others_still_load(folder: Path, add: Any) -> None:
    add("captcha", "1")
    (add("captcha", "2") / "model.onnx").unlink()
    (add("captcha", "3") / "configs.yaml").write_text("vocab: 12\nheight: 50\nwidth: 200\n")
    (add("captcha", "4") / "model.onnx").write_bytes(b"garbage")
    (folder / "plates" / "1").mkdir(parents=True)
    store = ModelStore(folder, "captcha")
    assert loaded(store) == {"captcha": ["1"]}
    assert store.get().version == "1"
    assert {(broken.name, broken.version): broken.reason for broken in store.broken} == {
        ("captcha", "2"): "model.onnx cannot be read: No such file or directory",
        ("captcha", "3"): "configs.yaml: vocab must be a string; put digits in quotes",
        ("captcha", "4"): "model.onnx is not an ONNX model that ONNX Runtime can load",
        ("plates", "1"): "configs.yaml cannot be read: No such file or directory",
    }


def test_a_model_with_only_broken_versions_is_unknown(folder: Path, add: Any) -> None:
    add("captcha", "1")
    (add("plates", "1") / "model.onnx").unlink()
    with pytest.raises(UnknownModelError, match=r"Loaded models: captcha\."):
        ModelStore(folder, "captcha").get("plates")


def test_hidden_folders_files_and_folders_without_a_model_are_skipped(folder: Path, add: Any) -> None:
    add("captcha", "1")
    add(".tmp", "1")
    add("captcha", ".2.partial")
    (folder / "lost+found").mkdir()
    (folder / "captcha" / "my notes").mkdir()
    (folder / "README.md").write_text("models")
    (folder / "captcha" / "latest").write_text("1")
    store = ModelStore(folder, "captcha")
    assert loaded(store) == {"captcha": ["1"]}
    assert store.broken == []


def test_a_model_without_a_folder_of_its_version_is_reported(folder: Path, add: Any) -> None:
    add("captcha", "1")
    shutil.copytree(add("plates", "1"), folder / "signs")
    store = ModelStore(folder, "captcha")
    assert loaded(store) == {"captcha": ["1"], "plates": ["1"]}
    assert [(broken.name, broken.version) for broken in store.broken] == [("signs", "")]
    assert "such as signs/1/" in store.broken[0].reason


def test_models_in_folders_with_invalid_names_are_reported(folder: Path, add: Any) -> None:
    add("captcha", "1")
    for name, version in (
        ("my model", "1"),
        ("captcha", "v1 (copy)"),
        ("captcha", "vérsion"),
        ("-x", "1"),
        ("x" * 65, "1"),
        ("new\nline", "1"),
        (os.fsdecode(b"latin-\xe9"), "1"),
    ):
        add(name, version)
    store = ModelStore(folder, "captcha")
    assert loaded(store) == {"captcha": ["1"]}
    assert {broken.reason for broken in store.broken} == {MISNAMED}
    assert {(broken.name, broken.version) for broken in store.broken} == {
        ("my model", ""),
        ("captcha", "v1 (copy)"),
        ("captcha", "vérsion"),
        ("-x", ""),
        ("x" * 65, ""),
        ("new\N{REPLACEMENT CHARACTER}line", ""),
        ("latin-\N{REPLACEMENT CHARACTER}", ""),
    }


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_missing_store_has_no_models(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    store = ModelStore(tmp_path / name, "captcha")
    assert (store.models, store.broken) == ({}, [])
    with pytest.raises(UnknownModelError, match=r"^No such model is loaded\. Loaded models: none\.$"):
        store.get()


def test_metrics_come_with_the_model(folder: Path, add: Any) -> None:
    metrics = {"created": "2026-11-23T13:55:47+00:00", "validation": {"images": 94}}
    add("captcha", "1", json.dumps(metrics))
    add("captcha", "2")
    store = ModelStore(folder, "captcha")
    assert store.get(version="1").metrics == metrics
    assert store.get(version="2").metrics == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "metrics.json is not a JSON file"),
        ("", "metrics.json is not a JSON file"),
        ("[" * 100_000, "metrics.json is not a JSON file"),
        ("[1]", "metrics.json must contain an object"),
        ("null", "metrics.json must contain an object"),
    ],
)
def test_broken_metrics_break_only_their_version(folder: Path, add: Any, content: str, reason: str) -> None:
    add("captcha", "1")
    add("captcha", "2", content)
    store = ModelStore(folder, "captcha")
    assert loaded(store) == {"captcha": ["1"]}
    assert [(broken.version, broken.reason) for broken in store.broken] == [("2", reason)]


def test_metrics_that_are_not_utf8_break_their_version(folder: Path, add: Any) -> None:
    (add("captcha", "1") / "metrics.json").write_bytes(b'{"a": "\xff"}')
    assert [broken.reason for broken in ModelStore(folder, "captcha").broken] == ["metrics.json is not a JSON file"]


def test_an_unreadable_folder_is_broken_and_the_others_are_served(
    shipped_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped_model, tmp_path / "good" / "1")
    (tmp_path / "closed").mkdir()
    list_folder = Path.iterdir

    def refuse(folder: Path) -> Iterator[Path]:
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return list_folder(folder)

    # Not by changing permissions, which do not apply to root in containers.
    monkeypatch.setattr(Path, "iterdir", refuse)
    store = ModelStore(tmp_path, "good")
    assert store.get().version == "1"
    (broken,) = store.broken
    assert (broken.name, broken.reason) == ("closed", "the folder cannot be read: Permission denied")
