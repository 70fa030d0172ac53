"""The image folder of Hugging Face's `datasets`: metadata.csv or metadata.jsonl with file_name and a text."""

import json
from pathlib import Path

from training.data.dataset import DataError
from training.data.layouts.listing import Listing, Row
from training.data.layouts.tables import LABEL_COLUMNS, read_table

NAMES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"


def read(text: str, file: Path) -> Listing | None:
    """Read the metadata of an image folder; see `Layout`."""
    if file.suffix.lower() == ".csv":
        return read_table(text, file, (FILE_NAME,), LABEL_COLUMNS)
    return _read_lines(text, file) if file.suffix.lower() == ".jsonl" else None


def _read_lines(text: str, file: Path) -> Listing | None:
    rows: list[Row] = []
    key = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get(FILE_NAME), str):
            if not rows:
                return None
            raise DataError(f"{file}, line {number}: expected an object with {FILE_NAME} and a text.")
        key = key or next((name for name in LABEL_COLUMNS if isinstance(entry.get(name), str)), None)
        if key is None or not isinstance(entry.get(key), str):
            raise DataError(f"{file}, line {number}: no {key or 'text'}; the keys are {', '.join(entry)}.")
        rows.append(Row(entry[FILE_NAME], entry[key]))
    return Listing(rows, f"lines of {FILE_NAME} and {key}") if rows else None
