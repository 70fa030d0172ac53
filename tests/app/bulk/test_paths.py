"""Paths and globs that name no image."""

from pathlib import Path

import pytest

from app.bulk.job import BulkError
from app.bulk.paths import check_paths
from app.inference.images.formats import SUFFIXES


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory: a folder with an image and another file."""
    for name in ("scans/d.jpeg", "scans/notes.txt", "drawings/a.svg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("argument", ["scans", "scans/d.jpeg", "scans/*", "scans/notes.txt"])
def test_existing_images_pass(argument: str) -> None:
    check_paths([argument])


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("nowhere.png", "There is no file or folder nowhere.png."),
        ("", "There is no file or folder ."),
        ("scans/*.gif", "No image matches scans/*.gif."),
        ("nowhere/*.png", "No image matches nowhere/*.png."),
        ("scans/*.txt", "No image matches scans/*.txt."),
        ("drawings", f"drawings contains no files ending in {', '.join(SUFFIXES)}, but 1 .svg file."),
        ("empty", f"empty contains no files ending in {', '.join(SUFFIXES)}, but nothing."),
        ("scan", "There is no file or folder scan. Did you mean scans?"),
        ("scans/d.jpg", "There is no file or folder scans/d.jpg. Did you mean scans/d.jpeg?"),
        ("scan/*.png", "No image matches scan/*.png. Did you mean scans?"),
    ],
)
def test_missing_ones_are_reported(argument: str, reason: str) -> None:
    with pytest.raises(BulkError) as caught:
        check_paths(["scans", argument])
    assert str(caught.value) == reason
