"""Suggestions of existing paths similar to a missing one."""

import os
from pathlib import Path

import pytest

from app.shared.suggestions import MAX_NEIGHBOURS, did_you_mean


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a few folders and files."""
    for name in ("datasets/captcha_images_v2/2b827.png", "model_store/captcha/202611232107/configs.yaml", "labels.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("datasets/captcha_images", "datasets/captcha_images_v2"),
        ("dataset/captcha_images_v2", "datasets/captcha_images_v2"),
        ("dataset/captcha-images/2b82.png", "datasets/captcha_images_v2/2b827.png"),
        ("model_store/captha/202611232107", "model_store/captcha/202611232107"),
        ("model_store/captha/unlike", "model_store/captcha"),
        ("label.csv", "labels.csv"),
        ("./Labels.csv", "labels.csv"),
    ],
)
def test_the_nearest_existing_path_is_suggested(typed: str, meant: str) -> None:
    assert did_you_mean(typed) == f" Did you mean {meant}?"


def test_an_absolute_path_stays_absolute(tree: Path) -> None:
    assert did_you_mean(tree / "label.csv") == f" Did you mean {tree / 'labels.csv'}?"


@pytest.mark.parametrize("typed", ["labels.csv", "datasets", "", ".", "unlike", "datasets/unlike", "labels.csv/x"])
def test_there_is_no_suggestion_if_nothing_is_missing_or_similar(typed: str) -> None:
    assert did_you_mean(typed) == ""


@pytest.mark.parametrize("typed", ["x" * 5000, "\0", "*.png"])
def test_an_invalid_path_is_not_an_error(typed: str) -> None:
    assert did_you_mean(typed) == ""


def test_unprintable_names_are_not_suggested(tree: Path) -> None:
    (tree / os.fsdecode(b"scans\xff")).mkdir()
    (tree / "scans\n").mkdir()
    assert did_you_mean("scans") == ""


def test_very_large_folders_are_not_searched(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.shared.suggestions.MAX_NEIGHBOURS", 0)
    assert did_you_mean("label.csv") == ""
    assert MAX_NEIGHBOURS > 0
