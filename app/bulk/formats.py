"""Output formats: CSV, JSON lines, Parquet."""

import glob
import io
import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json

from app.bulk.job import BulkError
from app.shared.csv_files import without_formula, write_rows
from app.shared.extras import how_to_add
from app.shared.files import write_atomically

ROW_GROUP = 10_000
"""Rows of a Parquet file that are held in memory at a time."""


def check_format(output: Path) -> None:
    """Raise `BulkError` if the format of a file's suffix is unknown, or its library is not installed."""
    if output.suffix.lower() not in WRITERS:
        raise BulkError(f"{output}: the name of the output must end with .csv, .jsonl or .parquet.")
    if output.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        add = how_to_add("parquet", "python -m pip install pyarrow")
        raise BulkError(f"{output}: Parquet needs pyarrow, which is not installed; {add}")


def write_output(output: Path, columns: Sequence[str], rows: Iterable[bytes]) -> None:
    """Write rows (JSON lines) atomically in the format of the file's suffix.

    Only one process may write a file at a time; temporary files of a killed process are removed.

    Raises:
        OSError: if it cannot be written.
    """
    for left in output.parent.glob(f".{glob.escape(output.name)}.*.tmp"):
        left.unlink()
    with write_atomically(output, "wb") as file:
        WRITERS[output.suffix.lower()](file, columns, rows)


def _write_csv(file: IO[Any], columns: Sequence[str], rows: Iterable[bytes]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    write_rows(text, [columns])
    write_rows(text, ([_cell(value) for value in _parse(row).values()] for row in rows))
    text.detach()  # flushes without closing the file


def _parse(line: bytes) -> dict[str, Any]:
    """Parse a row; only a path that is not UTF-8 needs `json`, which is slower."""
    try:
        row: dict[str, Any] = from_json(line)
    except ValueError:
        row = json.loads(line)
    return row


def _cell(value: Any) -> Any:
    """Return the value of a cell: confidences separated by spaces, alternatives as JSON, formulas escaped."""
    if isinstance(value, str):
        return without_formula(value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], dict):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(map(str, value))


def _write_json_lines(file: IO[Any], _: Sequence[str], rows: Iterable[bytes]) -> None:
    file.writelines(rows)


def write_parquet(file: IO[Any], columns: Sequence[str], rows: Iterable[bytes]) -> None:
    """Write rows (JSON lines) as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "confidence": pa.float64(),
        "character_confidences": pa.list_(pa.float64()),
        "alternatives": pa.list_(pa.struct([("text", pa.string()), ("confidence", pa.float64())])),
        "value": pa.int64(),
        "value_confidence": pa.float64(),
        "accepted": pa.bool_(),
    }
    schema = pa.schema([(column, types.get(column, pa.string())) for column in columns])
    remaining = map(_parquet_row, rows)
    with pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(remaining, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _parquet_row(line: bytes) -> dict[str, Any]:
    """Return a row whose path is valid UTF-8, which Parquet requires."""
    row = _parse(line)
    row["path"] = row["path"].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return row


WRITERS = {".csv": _write_csv, ".jsonl": _write_json_lines, ".parquet": write_parquet}
