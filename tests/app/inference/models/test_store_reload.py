"""Reloading a store: new, unchanged, dropped and kept models."""

import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.inference.models.store import ModelStore, StoredModel, compare

Loaded = dict[str, list[str]]


@pytest.fixture
def folder(tmp_path: Path, shipped_model: Path) -> Path:
    """A store of captcha 1 and 2, and plates 1."""
    for name, version in (("captcha", "1"), ("captcha", "2"), ("plates", "1")):
        put(shipped_model, tmp_path / "store" / name / version)
    return tmp_path / "store"


@pytest.fixture
def before(folder: Path) -> ModelStore:
    return ModelStore(folder, "captcha")


def put(model: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for file in ("model.onnx", "configs.yaml"):
        shutil.copy(model / file, target)


def change(version: Path) -> None:
    with (version / "configs.yaml").open("a") as file:
        file.write("# changed\n")


def listed(models: list[StoredModel]) -> list[str]:
    return [f"{stored.name} {stored.version}" for stored in models]


def reload(folder: Path, before: ModelStore) -> tuple[ModelStore, Loaded]:
    """Reload the store; return it and the changes, broken versions with their reason and + if kept."""
    after = ModelStore(folder, "captcha", before=before)
    changes = compare(before, after)
    return after, {
        "loaded": listed(changes.loaded),
        "unchanged": listed(changes.unchanged),
        "dropped": listed(changes.dropped),
        "broken": [f"{one.name} {one.version}{'+' * one.kept} {one.reason}" for one in changes.broken],
    }


def test_all_models_are_new_at_first(before: ModelStore) -> None:
    changes = compare(None, before)
    assert listed(changes.loaded) == ["captcha 2", "captcha 1", "plates 1"]
    assert (changes.unchanged, changes.dropped, changes.broken) == ([], [], [])


def test_unchanged_models_are_not_loaded_again(folder: Path, before: ModelStore) -> None:
    after, changes = reload(folder, before)
    assert changes == {
        "loaded": [],
        "unchanged": ["captcha 2", "captcha 1", "plates 1"],
        "dropped": [],
        "broken": [],
    }
    for stored in after:
        assert stored.model is before.get(stored.name, stored.version).model


def test_a_new_version_becomes_the_newest(folder: Path, before: ModelStore, shipped_model: Path) -> None:
    put(shipped_model, folder / "captcha" / "10")
    after, changes = reload(folder, before)
    assert changes["loaded"] == ["captcha 10"]
    assert (before.get().version, after.get().version) == ("2", "10")


def test_a_changed_version_is_loaded_and_the_old_one_still_reads(folder: Path, before: ModelStore) -> None:
    change(folder / "captcha" / "2")
    after, changes = reload(folder, before)
    assert changes["loaded"] == ["captcha 2"]
    assert changes["unchanged"] == ["captcha 1", "plates 1"]
    assert after.get().model is not before.get().model


def test_a_version_whose_folder_is_gone_is_dropped(folder: Path, before: ModelStore) -> None:
    shutil.rmtree(folder / "captcha" / "2")
    shutil.rmtree(folder / "plates")
    after, changes = reload(folder, before)
    assert changes["dropped"] == ["captcha 2", "plates 1"]
    assert listed(list(after)) == ["captcha 1"]


def test_a_version_that_breaks_is_kept_if_it_was_loaded(folder: Path, before: ModelStore) -> None:
    (folder / "captcha" / "2" / "model.onnx").write_bytes(b"x")
    (folder / "captcha" / "3").mkdir()
    after, changes = reload(folder, before)
    assert changes == {
        "loaded": [],
        "unchanged": ["captcha 1", "plates 1"],
        "dropped": [],
        "broken": [
            "captcha 3 configs.yaml cannot be read: No such file or directory",
            "captcha 2+ model.onnx is not an ONNX model that ONNX Runtime can load",
        ],
    }
    assert after.get().model is before.get().model


def test_a_kept_version_stays_until_it_is_repaired(folder: Path, before: ModelStore) -> None:
    network = folder / "captcha" / "2" / "model.onnx"
    content = network.read_bytes()
    network.write_bytes(content[:-1])
    for _ in range(3):
        store, changes = reload(folder, before)
        assert len(changes["broken"]) == 1
        assert store.get().version == "2"
    network.write_bytes(content)
    store, changes = reload(folder, store)
    assert changes["unchanged"] == ["captcha 2", "captcha 1", "plates 1"]
    assert changes["broken"] == []


def test_a_version_with_broken_metrics_is_kept(folder: Path, before: ModelStore) -> None:
    (folder / "captcha" / "2" / "metrics.json").write_text("{")
    after, changes = reload(folder, before)
    assert changes["broken"] == ["captcha 2+ metrics.json is not a JSON file"]
    assert after.get().version == "2"


def test_metrics_are_reread_without_the_network(folder: Path, before: ModelStore) -> None:
    (folder / "captcha" / "2" / "metrics.json").write_text('{"validation": {}}')
    after, changes = reload(folder, before)
    assert changes["loaded"] == []
    assert after.get().metrics == {"validation": {}}


@pytest.mark.parametrize("gone", [["captcha/1", "captcha/2"], ["captcha"], ["captcha", "plates"]])
def test_the_default_model_is_kept_without_its_folders(folder: Path, before: ModelStore, gone: list[str]) -> None:
    for name in gone:
        shutil.rmtree(folder / name)
    after, changes = reload(folder, before)
    assert changes["broken"] == ["captcha 2+ the folder is gone"]
    assert "captcha 1" in changes["dropped"]
    assert after.get().model is before.get().model
    assert list(after.models) == sorted(after.models)
    again, changes = reload(folder, after)
    assert changes["broken"] == ["captcha 2+ the folder is gone"]
    assert again.get().model is before.get().model


def test_an_unreadable_folder_keeps_all_of_its_versions(
    folder: Path, before: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_folder = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "captcha":
            raise PermissionError(13, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    after, changes = reload(folder, before)
    assert changes["broken"] == ["captcha + the folder cannot be read: Permission denied"]
    assert changes["unchanged"] == ["captcha 2", "captcha 1", "plates 1"]
    assert after.models["captcha"] == before.models["captcha"]


@pytest.mark.parametrize("part", ["model.onnx", "configs.yaml"])
def test_a_version_with_a_missing_file_is_kept(folder: Path, before: ModelStore, part: str) -> None:
    (folder / "captcha" / "2" / part).unlink()
    after, changes = reload(folder, before)
    assert changes["broken"] == [f"captcha 2+ {part} cannot be read: No such file or directory"]
    assert after.get().model is before.get().model


@pytest.mark.parametrize("harm", [change, shutil.rmtree])
def test_dropped_networks_are_freed(folder: Path, harm: Callable[[Path], object]) -> None:
    store = ModelStore(folder, "captcha")
    session = weakref.ref(store.get().model)
    harm(folder / "captcha" / "2")
    store = ModelStore(folder, "captcha", before=store)
    gc.collect()
    assert session() is None
    assert store.get()
