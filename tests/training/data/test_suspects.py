"""The file of suspects."""

from pathlib import Path

import pytest

from training.data.dataset import DataError
from training.data.suspects import Suspect, read_suspects, write_suspects


def test_it_contains_readings(tmp_path: Path) -> None:
    write_suspects([Suspect("a, b.png", "1", "2", 0.98765)], tmp_path / "suspects.csv")
    text = (tmp_path / "suspects.csv").read_text()
    assert text == 'path,label,reading,confidence\n"a, b.png",1,2,0.9877\n'


def test_it_is_read_most_confident_first_whatever_its_order(tmp_path: Path) -> None:
    written = [Suspect("a.png", "é", "=1", 0.5), Suspect("b.png", "x", "", 1.0), Suspect("c.png", "x ", "y", 0.7)]
    write_suspects(written, tmp_path / "suspects.csv")
    assert read_suspects(tmp_path / "suspects.csv") == [written[1], written[2], written[0]]


def test_it_may_be_empty(tmp_path: Path) -> None:
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
def test_another_file_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    with pytest.raises(
        DataError, match=r"other\.csv is not a file written by `training suspects`: a CSV file with path,label"
    ):
        read_suspects(tmp_path / "other.csv")
