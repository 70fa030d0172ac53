"""Expansion of command lines to image paths."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inference.images.paths import image_paths, in_words, other_files

TREE = [
    "b.png",
    "a.PNG",
    "c.jpg",
    "d.jpeg",
    "e.WebP",
    "notes.txt",
    ".hidden.png",
    ".cache/x.png",
    "2024/01/y.png",
    "2024/01/notes.csv",
    "2024/z.png",
    "2025/y.png",
    "c/y.png",
]


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: images in folders, and other files."""
    for name in TREE:
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scans" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*arguments: str) -> list[str]:
    return list(image_paths(arguments))


ALL = [
    "scans/2024/01/y.png",
    "scans/2024/z.png",
    "scans/2025/y.png",
    "scans/a.PNG",
    "scans/b.png",
    "scans/c/y.png",
    "scans/c.jpg",
    "scans/d.jpeg",
    "scans/e.WebP",
]


def test_a_folder_yields_its_images_and_those_of_its_subfolders() -> None:
    assert sorted(found("scans")) == sorted(ALL)


def test_paths_are_sorted_by_name_in_each_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_order = found("scans")
    assert [path.rpartition("/")[2] for path in in_order if path.count("/") == 1] == [
        "a.PNG",
        "b.png",
        "c.jpg",
        "d.jpeg",
        "e.WebP",
    ]
    real = os.scandir

    class Reversed(list[os.DirEntry[str]]):
        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", lambda folder: Reversed(sorted(real(folder), key=lambda e: e.name)[::-1]))
    assert found("scans") == in_order


def test_a_file_may_have_any_name_and_arguments_keep_their_order() -> None:
    assert found("scans/notes.txt", "scans/.hidden.png", "scans/2025", "scans/b.png") == [
        "scans/notes.txt",
        "scans/.hidden.png",
        "scans/2025/y.png",
        "scans/b.png",
    ]


@pytest.mark.parametrize("folder", ["scans/2025", "scans/2025/", "./scans/2025"])
def test_paths_start_with_the_folder_as_given(folder: str) -> None:
    assert found(folder) == [f"{folder.rstrip('/')}/y.png"]


def test_the_working_directory_and_absolute_paths(tree: Path) -> None:
    assert sorted(found(".")) == sorted(f"./{path}" for path in ALL)
    assert found(str(tree / "scans" / "2025")) == [str(tree / "scans" / "2025" / "y.png")]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("scans/*.png", ["scans/b.png"]),
        ("scans/*.[pP][nN][gG]", ["scans/a.PNG", "scans/b.png"]),
        ("scans/?.jp*", ["scans/c.jpg", "scans/d.jpeg"]),
        ("scans/*/y.png", ["scans/2025/y.png", "scans/c/y.png"]),
        ("scans/**/y.png", ["scans/2024/01/y.png", "scans/2025/y.png", "scans/c/y.png"]),
        ("**/0*/*", ["scans/2024/01/y.png"]),
        ("scans/202?", ["scans/2024/01/y.png", "scans/2024/z.png", "scans/2025/y.png"]),
        ("./scans/*.jpg", ["scans/c.jpg"]),
    ],
)
def test_a_glob_yields_the_images_and_folders_that_it_matches(pattern: str, matched: list[str]) -> None:
    assert found(pattern) == matched


@pytest.mark.parametrize("pattern", ["scans/**", "scans/**/*", "**", "**/**/*", "s*/**/**"])
def test_a_path_that_matches_in_several_ways_is_yielded_once(pattern: str) -> None:
    assert sorted(found(pattern)) in [sorted(ALL), sorted(f"./{path}" for path in ALL)]


def test_an_absolute_glob(tree: Path) -> None:
    assert found(f"{tree}/scans/2*/y.png") == [f"{tree}/scans/2025/y.png"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(tree: Path) -> None:
    (tree / "[b].png").touch()
    (tree / "b.png").touch()
    assert found("[b].png") == ["[b].png"]


def test_links_to_files_are_read_and_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "links").mkdir()
    (tree / "links" / "file.png").symlink_to(tree / "scans" / "b.png")
    (tree / "links" / "folder").symlink_to(tree / "links")
    (tree / "links" / "gone.png").symlink_to(tree / "nowhere")
    assert found("links") == ["links/file.png", "links/gone.png"]
    assert found("links/folder") == ["links/folder/file.png", "links/folder/gone.png"]


def test_a_folder_without_images_has_none(tree: Path) -> None:
    (tree / "empty").mkdir()
    assert found("empty") == []


def test_a_folder_that_cannot_be_listed_is_yielded_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(folder: str) -> object:
        if folder.rstrip("/").endswith("2024"):
            raise PermissionError
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert found("scans")[:2] == ["scans/2024", "scans/2025/y.png"]
    assert found("scans/*/y.png")[:2] == ["scans/2024", "scans/2025/y.png"]


def test_folders_are_listed_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    real = os.scandir

    def scandir(folder: str) -> object:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(itertools.islice(image_paths(["scans"]), 2)) == ["scans/2024/01/y.png", "scans/2024/z.png"]
    assert listed == ["scans/", "scans/2024/", "scans/2024/01/"]


def test_the_other_files_of_a_folder_are_counted_by_suffix(tree: Path) -> None:
    for name in ("a.svg", "2024/b.SVG", "README"):
        (tree / "scans" / name).touch()
    others = other_files("scans")
    assert others == {".svg": 2, ".txt": 1, ".csv": 1, "": 1}
    assert in_words(others) == "2 .svg files, 1 .csv file, 1 file without a suffix and 1 .txt file"


@pytest.mark.parametrize(
    ("counts", "words"),
    [({}, ""), ({".svg": 1}, "1 .svg file"), ({".svg": 1200, "": 2}, "1,200 .svg files and 2 files without a suffix")],
)
def test_files_are_counted_in_words(counts: dict[str, int], words: str) -> None:
    assert in_words(counts) == words
