"""The file of labels that are probably wrong."""

from pathlib import Path

import pytest

from training.data.dataset import DataError
from training.data.suspects import Suspect, read_suspects, write_suspects


def test_it_is_written_with_what_was_read(tmp_path: Path) -> None:
    write_suspects([Suspect("a, b.png", "1", "2", 0.98765)], tmp_path / "suspects.csv")
    text = (tmp_path / "suspects.csv").read_text()
    assert text == 'path,label,reading,confidence\n"a, b.png",1,2,0.9877\n'


def test_it_is_read_back_with_the_surest_first_however_people_have_sorted_it(tmp_path: Path) -> None:
    written = [Suspect("a.png", "é", "=1", 0.5), Suspect("b.png", "x", "", 1.0), Suspect("c.png", "x ", "y", 0.7)]
    write_suspects(written, tmp_path / "suspects.csv")
    assert read_suspects(tmp_path / "suspects.csv") == [written[1], written[2], written[0]]


def test_there_may_be_none(tmp_path: Path) -> None:
    write_suspects([], tmp_path / "suspects.csv")
    assert read_suspects(tmp_path / "suspects.csv") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"path,label\na.png,x\n",
        b"path,label,reading,confidence\na.png,x,y\n",
        b"path,label,reading,confidence\na.png,x,y,sure\n",
        b"path,label,reading,confidence\na.png,x,y,99\n",
        b"path,label,reading,confidence\n,x,y,0.9\n",
        b"path,label,reading,confidence\n\xff,x,y,0.9\n",
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    with pytest.raises(
        DataError, match=r"other\.csv is not what `training suspects` writes: a CSV file with path,label"
    ):
        read_suspects(tmp_path / "other.csv")
