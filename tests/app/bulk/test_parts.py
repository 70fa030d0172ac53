"""The folder to which many machines write the parts of a reading."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.bulk.job import BulkError
from app.bulk.parts import PartFolder

COLUMNS = ["path", "text", "confidence", "character_confidences", "error"]
MADE_WITH = {"model": "captcha", "list of images": "abc"}


def a_row(path: str, error: str | None = None) -> bytes:
    return json.dumps(dict.fromkeys(COLUMNS) | {"path": path, "error": error}).encode() + b"\n"


@pytest.fixture(params=["{}", "file://{}"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> PartFolder:
    return PartFolder(request.param.format(tmp_path / "table"))


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "table").iterdir())


def test_a_part_written_twice_exists_once(folder: PartFolder, tmp_path: Path) -> None:
    assert folder.begin(MADE_WITH, restart=False) == set()
    for _ in range(2):
        folder.write(0, COLUMNS, [a_row("a.png"), a_row("b.png", "no image")])
    assert folder.count_errors(0) == (2, 1)
    folder.finish(1)
    assert names(tmp_path) == ["_SUCCESS", "_reading.json", "part-000000.parquet"]
    assert pq.read_table(tmp_path / "table").column("path").to_pylist() == ["a.png", "b.png"]


def test_incomplete_files_of_a_lost_machine_are_removed(folder: PartFolder, tmp_path: Path) -> None:
    folder.begin(MADE_WITH, restart=False)
    (tmp_path / "table" / ".part-000000.parquet.1234.tmp").write_bytes(b"PAR1")
    folder.check(force=False, restart=False)
    assert folder.begin(MADE_WITH, restart=False) == set()
    folder.write(0, COLUMNS, [a_row("a.png")])
    folder.finish(1)
    assert names(tmp_path) == ["_SUCCESS", "_reading.json", "part-000000.parquet"]


def test_a_missing_part_is_an_error(folder: PartFolder, tmp_path: Path) -> None:
    folder.begin(MADE_WITH, restart=False)
    folder.write(1, COLUMNS, [a_row("a.png")])
    with pytest.raises(BulkError, match="has 1 parts instead of 2"):
        folder.finish(2)
    assert "_SUCCESS" not in names(tmp_path)


def test_an_unfinished_reading_resumes_only_with_the_same_images(folder: PartFolder, tmp_path: Path) -> None:
    folder.begin(MADE_WITH, restart=False)
    folder.write(1, COLUMNS, [a_row("a.png")])
    assert folder.begin(MADE_WITH, restart=False) == {1}
    others = MADE_WITH | {"list of images": "def"}
    with pytest.raises(BulkError, match=r"another list of images.*--restart"):
        folder.begin(others, restart=False)
    assert folder.begin(others, restart=True) == set()
    assert folder.started_with() == others
    assert names(tmp_path) == ["_reading.json"]


def test_a_finished_reading_is_replaced_only_with_force(folder: PartFolder, tmp_path: Path) -> None:
    folder.begin(MADE_WITH, restart=False)
    folder.finish(0)
    with pytest.raises(BulkError, match=r"already exists.*--force"):
        folder.check(force=False, restart=False)
    folder.check(force=True, restart=False)
    assert folder.begin(MADE_WITH, restart=False) == set()
    assert names(tmp_path) == ["_reading.json"]


def test_a_folder_with_other_files_is_refused(folder: PartFolder, tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "thesis.txt").touch()
    with pytest.raises(BulkError, match=r"contains other files, such as thesis\.txt"):
        folder.check(force=True, restart=True)


def test_an_inaccessible_folder_has_no_job(folder: PartFolder) -> None:
    assert folder.started_with() == {}
