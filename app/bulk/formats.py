"""The files that rows are written to: CSV, JSON lines, Parquet."""

import json
import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from app.bulk.job import BulkError
from app.shared.csv_files import without_formula, write_rows

ROW_GROUP = 10_000
"""Rows of a Parquet file that are in memory at a time."""


def check_format(output: Path) -> None:
    """Look whether a file can be written as its ending says.

    Raises:
        BulkError: the ending says nothing, or what it needs is not installed.
    """
    if output.suffix.lower() not in WRITERS:
        raise BulkError(f"{output}: the name of the output must end with .csv, .jsonl or .parquet.")
    if output.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise BulkError(f"{output}: Parquet needs pyarrow, which is not installed: python -m pip install pyarrow")


def write_output(output: Path, columns: Sequence[str], rows: Iterable[bytes]) -> None:
    """Write rows into the format of a file's ending; the file comes out whole or not at all.

    Only one process may write a file at a time; what one that was killed left of it, the next replaces.

    Args:
        output: the file.
        columns: the fields of each row.
        rows: JSON lines.

    Raises:
        OSError: it cannot be written.
    """
    beside = output.with_name(f".{output.name}.tmp")
    try:
        WRITERS[output.suffix.lower()](beside, columns, rows)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[bytes]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        write_rows(file, [columns])
        write_rows(file, ([_cell(value) for value in _parse(row).values()] for row in rows))


def _parse(line: bytes) -> dict[str, Any]:
    """A row, in a quarter of the time that `json` takes, which only a path that is not UTF-8 needs."""
    try:
        row: dict[str, Any] = from_json(line)
    except ValueError:
        row = json.loads(line)
    return row


def _cell(value: Any) -> Any:
    """A value in one cell: confidences with spaces between, alternatives as JSON, and no text that is calculated."""
    if isinstance(value, str):
        return without_formula(value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], dict):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(map(str, value))


def _write_json_lines(path: Path, _: Sequence[str], rows: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(rows)


def write_parquet(where: Any, columns: Sequence[str], rows: Iterable[bytes]) -> None:
    """Write rows as Parquet.

    Args:
        where: a path, or a file open for writing.
        columns: the fields of each row.
        rows: JSON lines.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "confidence": pa.float64(),
        "character_confidences": pa.list_(pa.float64()),
        "alternatives": pa.list_(pa.struct([("text", pa.string()), ("confidence", pa.float64())])),
        "accepted": pa.bool_(),
    }
    schema = pa.schema([(column, types.get(column, pa.string())) for column in columns])
    remaining = map(_parquet_row, rows)
    with pq.ParquetWriter(where, schema) as writer:
        while group := list(islice(remaining, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _parquet_row(line: bytes) -> dict[str, Any]:
    """A row whose path is UTF-8, as Parquet's texts are and a file's name need not be."""
    row = _parse(line)
    row["path"] = row["path"].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return row


WRITERS = {".csv": _write_csv, ".jsonl": _write_json_lines, ".parquet": write_parquet}
