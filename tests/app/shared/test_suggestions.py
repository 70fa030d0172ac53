"""What was meant by a path that is not there."""

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
def test_the_nearest_path_that_is_there_is_named(typed: str, meant: str) -> None:
    assert did_you_mean(typed) == f" Did you mean {meant}?"


def test_an_absolute_path_stays_absolute(tree: Path) -> None:
    assert did_you_mean(tree / "label.csv") == f" Did you mean {tree / 'labels.csv'}?"


@pytest.mark.parametrize("typed", ["labels.csv", "datasets", "", ".", "unlike", "datasets/unlike", "labels.csv/x"])
def test_nothing_is_said_where_nothing_is_missing_or_similar(typed: str) -> None:
    assert did_you_mean(typed) == ""


@pytest.mark.parametrize("typed", ["x" * 5000, "\0", "*.png"])
def test_what_can_be_no_path_is_no_error(typed: str) -> None:
    assert did_you_mean(typed) == ""


def test_names_that_cannot_be_printed_are_not_suggested(tree: Path) -> None:
    (tree / os.fsdecode(b"scans\xff")).mkdir()
    (tree / "scans\n").mkdir()
    assert did_you_mean("scans") == ""


def test_a_folder_of_very_many_files_is_not_looked_through(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.shared.suggestions.MAX_NEIGHBOURS", 0)
    assert did_you_mean("label.csv") == ""
    assert MAX_NEIGHBOURS > 0
