"""Tables on disk: complete at every moment, and editable by other programs."""

from pathlib import Path

import pytest

from training.data.dataset import DataError
from training.labelling import tables
from training.labelling.tables import Table

COLUMNS = ("path", "label", "guess")


def open_table(path: Path) -> Table:
    return Table(path, COLUMNS, lambda path: path.removeprefix("./"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


def test_opening_a_table_writes_nothing(file: Path) -> None:
    assert open_table(file).rows == {}
    assert not file.exists()


def test_a_change_is_written_at_once(file: Path) -> None:
    table = open_table(file)
    table.put("a.png", {"label": "x,y", "guess": "xy"})
    assert file.read_bytes() == b'path,label,guess\na.png,"x,y",xy\n'
    table.put("b\r\n.png", {"label": '"', "guess": ""})
    assert open_table(file).rows == table.rows
    table.remove("a.png")
    assert list(open_table(file).rows) == ["b\r\n.png"]


def test_columns_of_others_are_kept(file: Path) -> None:
    file.write_text("note,path,label\nfaint,./a.png,x\n,b.png,y\n")
    open_table(file).put("a.png", {"label": "z"})
    assert file.read_text() == "note,path,label,guess\n,b.png,y,\nfaint,./a.png,z,\n"


def test_the_last_of_several_rows_for_an_image_is_used(file: Path) -> None:
    file.write_text("path,label\na.png,old\n./a.png,new\n")
    assert open_table(file).rows["a.png"]["label"] == "new"


def test_files_saved_by_spreadsheets_are_read(file: Path) -> None:
    file.write_bytes("\ufeffpath,label,\r\na.png,é,\r\n".encode())
    assert open_table(file).rows["a.png"]["label"] == "é"


def test_changes_by_other_programs_are_loaded(file: Path) -> None:
    table = open_table(file)
    table.put("a.png", {"label": "x"})
    assert not table.refresh()
    file.write_text("path,label\na.png,x\nb.png,theirs\n")
    assert table.refresh()
    table.put("c.png", {"label": "ours"})
    assert [row["label"] for row in open_table(file).rows.values()] == ["x", "theirs", "ours"]


def test_a_removed_file_is_recreated(file: Path) -> None:
    table = open_table(file)
    table.put("a.png", {"label": "x"})
    file.unlink()
    assert not table.refresh()
    table.put("b.png", {"label": "y"})
    assert list(open_table(file).rows) == ["a.png", "b.png"]


def test_a_failed_write_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = open_table(file)
    table.put("a.png", {"label": "x"})
    before = file.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        table.put("b.png", {"label": "y"})
    assert file.read_bytes() == before
    assert list(table.rows) == ["a.png"]
    assert [path.name for path in file.parent.iterdir()] == ["labels.csv"]


def test_the_rename_is_flushed_to_disk(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(tables, "_flush_folder", flushed.append)
    open_table(file).put("a.png", {"label": "x"})
    assert flushed == [file.parent]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name,text\na,b\n", "the first line must contain the columns path,label"),
        (b"", "the first line must contain the columns path,label"),
        (b"path,label\n\xff,x\n", "is not a UTF-8 CSV file"),
        (b"path,label\na.png,x\nb.pn", "line 3: path or label is missing"),
        (b"path,label\n,x\n", "line 2: path or label is missing"),
        (b"path,label\na.png,x,y\n", "line 2: more fields than columns; quote fields that contain a comma"),
    ],
)
def test_another_format_is_rejected_and_unchanged(file: Path, content: bytes, complaint: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_table(file)
    assert complaint in str(caught.value)
    assert file.read_bytes() == content
