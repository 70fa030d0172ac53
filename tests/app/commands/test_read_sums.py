"""`python -m app read --evaluate sum`: the value of the sum in each image."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.command import Result
from tests.drawn_text import drawn

Read = Callable[..., Result]
OPTIONS = ("--model", "general", "--evaluate", "sum", "--min-confidence", "0.1")
COLUMNS = ["path", "text", "confidence", "character_confidences", "value", "value_confidence", "accepted", "error"]


@pytest.fixture
def sums(folder: Path) -> list[str]:
    """Images of two sums, an image without a sum, and a file that is not an image."""
    (folder / "sums").mkdir()
    pictures = {"a": drawn("10-2="), "b": drawn("3-4="), "c": drawn("hello"), "d": b"?"}
    for name, content in pictures.items():
        (folder / "sums" / f"{name}.png").write_bytes(content)
    return [f"sums/{name}.png" for name in pictures]


def test_lines_have_the_value_and_its_confidence(read: Read, sums: list[str]) -> None:
    rows = read("sums", *OPTIONS).rows
    assert [row[0] for row in rows] == sums[:3]
    assert [row[3] for row in rows] == ["8", "-1", ""]
    assert [float(row[4]) >= 0.1 for row in rows] == [True, True, False]
    assert [row[5] for row in rows] == ["true", "true", "false"]


def test_tables_have_columns_for_both(read: Read, sums: list[str]) -> None:
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        assert read("sums", *OPTIONS, "--output", name).status == 1
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [COLUMNS] * 4
    assert [line["value"] for line in lines] == [8, -1, None, None]
    assert [line["accepted"] for line in lines] == [True, True, False, None]
    assert lines[2]["value_confidence"] == 0
    assert lines[3]["value_confidence"] is None
    assert pq.read_table("out.parquet").to_pylist() == lines
    with Path("out.csv").open(newline="") as file:
        cells = [(row["value"], row["value_confidence"]) for row in csv.DictReader(file)]
    assert cells == [
        ("8", str(lines[0]["value_confidence"])),
        ("-1", str(lines[1]["value_confidence"])),
        ("", "0.0"),
        ("", ""),
    ]
