"""Resuming an interrupted run."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.bulk.job import BulkError
from app.bulk.partial import open_partial, partial_of, read_rows, resume

MADE_WITH = {"model": "captcha", "version": "1", "sha256": "ab", "length": None}
PATHS = ["a.png", "b/ä\n.png", "c\udcff.png", "d.png"]


def row(path: str, error: str | None = None) -> bytes:
    line = json.dumps({"path": path, "text": "ж", "error": error}, ensure_ascii=False) + "\n"
    return line.encode("utf-8", "backslashreplace")


def gone_on(path: Path, paths: list[str], **made_with: Any) -> tuple[tuple[int, int], list[str]]:
    """Return the numbers of rows and errors, and the remaining paths."""
    left = iter(paths)
    with open_partial(path):
        counts = resume(path, MADE_WITH | made_with, left)
    return counts, list(left)


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    """The partial file of a run interrupted after three images, the second of them an error."""
    path = partial_of(tmp_path / "out.csv")
    assert path == tmp_path / "out.csv.partial"
    assert gone_on(path, PATHS) == ((0, 0), PATHS)
    with open_partial(path) as file:
        for image, error in zip(PATHS[:3], [None, "damaged", None], strict=True):
            file.write(row(image, error))
    return path


def test_images_with_a_row_are_skipped(partial: Path) -> None:
    before = partial.read_bytes()
    assert gone_on(partial, PATHS) == ((3, 1), ["d.png"])
    assert partial.read_bytes() == before
    assert list(read_rows(partial)) == [row("a.png"), row(PATHS[1], "damaged"), row(PATHS[2])]


def test_an_incomplete_row_is_removed(partial: Path) -> None:
    whole = partial.read_bytes()
    ends = [end for end in range(len(whole) + 1) if whole[:end].endswith(b"\n")]
    for cut in range(len(whole)):
        partial.write_bytes(whole[:cut])
        kept = max(0, sum(end <= cut for end in ends) - 1)
        assert gone_on(partial, PATHS)[0][0] == kept
        assert partial.read_bytes() == whole[: ends[kept]]


@pytest.mark.parametrize(
    "tail", [b"\0" * 100, b"\0\0\n\0\n", b'{"path": \n', b"\xff\xfe\n", b"[]\n", b'{"path": "d.png", "te']
)
def test_garbage_after_a_power_cut_is_removed(partial: Path, tail: bytes) -> None:
    whole = partial.read_bytes()
    partial.write_bytes(whole + tail)
    assert gone_on(partial, PATHS) == ((3, 1), ["d.png"])
    assert partial.read_bytes() == whole


def test_rows_with_other_options_are_refused(partial: Path) -> None:
    with pytest.raises(BulkError) as caught:
        gone_on(partial, PATHS, version="2", length=5)
    assert "out.csv.partial was written with other options: version was 1, is now 2; length was None, is now 5." in str(
        caught.value
    )
    assert "--restart" in str(caught.value)


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["a.png", "new.png", *PATHS[1:]], "image 2, b/ä\n.png, is now new.png"),
        (PATHS[:2], "image 3, c\udcff.png, is missing now"),
        ([], "image 1, a.png, is missing now"),
    ],
)
def test_rows_of_other_images_are_refused_and_kept(partial: Path, paths: list[str], reason: str) -> None:
    before = partial.read_bytes()
    with pytest.raises(BulkError) as caught:
        gone_on(partial, paths)
    assert reason in str(caught.value)
    assert partial.read_bytes() == before


def test_without_rows_options_may_change(tmp_path: Path) -> None:
    path = tmp_path / "out.csv.partial"
    gone_on(path, PATHS, pattern="(")
    assert gone_on(path, PATHS, pattern="a") == ((0, 0), PATHS)
    assert json.loads(path.read_bytes())["pattern"] == "a"


@pytest.mark.parametrize("content", [b"path,text\n", b"path", b"{}\n", b"\n"])
def test_another_file_of_that_name_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "out.csv.partial"
    path.write_bytes(content)
    with pytest.raises(BulkError, match="is not a partial output of this command"):
        gone_on(path, PATHS)
    assert path.read_bytes() == content


def test_only_one_process_may_write(partial: Path) -> None:
    with open_partial(partial), pytest.raises(BulkError, match="Another process is writing"), open_partial(partial):
        pass
    with open_partial(partial):
        pass
