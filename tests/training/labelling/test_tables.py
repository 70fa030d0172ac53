"""Tables on disk: whole at every moment, and not only ours."""

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


def test_nothing_is_written_before_there_is_something_to_write(file: Path) -> None:
    assert open_table(file).rows == {}
    assert not file.exists()


def test_a_change_is_in_the_file_when_it_is_made(file: Path) -> None:
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


def test_of_several_rows_for_an_image_the_last_counts(file: Path) -> None:
    file.write_text("path,label\na.png,old\n./a.png,new\n")
    assert open_table(file).rows["a.png"]["label"] == "new"


def test_what_a_spreadsheet_writes_is_read(file: Path) -> None:
    file.write_bytes("\ufeffpath,label,\r\na.png,é,\r\n".encode())
    assert open_table(file).rows["a.png"]["label"] == "é"


def test_what_another_program_writes_is_taken_over(file: Path) -> None:
    table = open_table(file)
    table.put("a.png", {"label": "x"})
    assert not table.refresh()
    file.write_text("path,label\na.png,x\nb.png,theirs\n")
    assert table.refresh()
    table.put("c.png", {"label": "ours"})
    assert [row["label"] for row in open_table(file).rows.values()] == ["x", "theirs", "ours"]


def test_a_file_that_was_removed_comes_back(file: Path) -> None:
    table = open_table(file)
    table.put("a.png", {"label": "x"})
    file.unlink()
    assert not table.refresh()
    table.put("b.png", {"label": "y"})
    assert list(open_table(file).rows) == ["a.png", "b.png"]


def test_what_cannot_be_written_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_renaming_is_brought_to_the_disk_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(tables, "_flush_folder", flushed.append)
    open_table(file).put("a.png", {"label": "x"})
    assert flushed == [file.parent]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name,text\na,b\n", "the first line must name the columns path,label"),
        (b"", "the first line must name the columns path,label"),
        (b"path,label\n\xff,x\n", "is not a CSV file in UTF-8"),
        (b"path,label\na.png,x\nb.pn", "line 3: path and label are needed"),
        (b"path,label\n,x\n", "line 2: path and label are needed"),
        (b"path,label\na.png,x,y\n", "line 2: there are more fields than columns; put what has a comma in quotes"),
    ],
)
def test_what_is_no_such_table_is_refused_and_left_alone(file: Path, content: bytes, complaint: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_table(file)
    assert complaint in str(caught.value)
    assert file.read_bytes() == content
