"""Tables of paths and labels: CSV with commas, semicolons or tabs, with or without a header."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from training.data.dataset import DataError
from training.data.layouts.listing import Listing, Row, as_split, names_image

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
PATH_COLUMNS = (
    *("path", "image_path", "file_path", "filepath", "file_name", "filename", "file", "image_file", "image_name"),
    *("image", "img", "img_path", "name"),
)
LABEL_COLUMNS = (
    *("label", "text", "plate_text", "transcription", "ground_truth", "groundtruth", "gt", "value", "words"),
    *("word", "string", "answer", "solution"),
)
"""Common names of the two columns; if several occur, the first in this order is used."""
ROWS_INSPECTED = 100
MAX_COLUMNS_SHOWN = 10


class Columns(NamedTuple):
    """Indices of a table's columns, from 0."""

    path: int
    label: int
    split: int | None
    header: bool
    """Whether the first row names the columns."""


def read(text: str, file: Path) -> Listing | None:
    """Read a table of any delimiter and header; see `Layout`."""
    return read_table(text, file, PATH_COLUMNS, LABEL_COLUMNS, by_content=True)


def read_table(
    text: str, file: Path, paths: Sequence[str], labels: Sequence[str], *, by_content: bool = False
) -> Listing | None:
    """Return the rows of a table whose columns have these names; None if the text is something else.

    Args:
        text: the content of the file.
        file: its path, for messages.
        paths: accepted names of the path column.
        labels: accepted names of the label column.
        by_content: if no header matches, find the columns by their content.

    Raises:
        DataError: a row has no path or no label, or it is ambiguous which column holds the labels.
    """
    tables = {delimiter: rows for delimiter in DELIMITERS if (rows := _parse(text, delimiter))}
    for delimiter, rows in tables.items():
        columns = _by_header(rows[0][1], paths, labels)
        if columns is not None:
            return _listing(rows, columns, delimiter, file)
    for delimiter, rows in tables.items() if by_content else ():
        columns = _by_content([row for _, row in rows], file)
        if columns is not None:
            return _listing(rows, columns, delimiter, file)
    return None


def _parse(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the non-blank rows, each with the number of its last line; [] if the text is not such a table."""
    quotes_after_space = f'{delimiter} "' in text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=quotes_after_space)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _by_header(names: Sequence[str], paths: Sequence[str], labels: Sequence[str]) -> Columns | None:
    places = {name.strip().lower(): place for place, name in enumerate(names)}
    path = next((places[name] for name in paths if name in places), None)
    label = next((places[name] for name in labels if name in places), None)
    return None if path is None or label is None else Columns(path, label, places.get("split"), header=True)


def _by_content(rows: Sequence[Sequence[str]], file: Path) -> Columns | None:
    """Find the column with names of images; if there is only one other column, it holds the labels."""
    width = len(rows[0])
    below = rows[1 : 1 + ROWS_INSPECTED] or rows
    of_paths = [place for place in range(width) if all(len(row) > place and names_image(row[place]) for row in below)]
    if len(of_paths) != 1 or width < 2:
        return None
    path = of_paths[0]
    if width > 2:
        names = ", ".join(rows[0][:MAX_COLUMNS_SHOWN])
        raise DataError(
            f"{file}: column {path + 1} holds images, but it is unclear which other column ({names}) holds the text. "
            "Name the two columns path and label in the first line."
        )
    return Columns(path, 1 - path, None, header=not names_image(rows[0][path]))


def _listing(rows: Sequence[tuple[int, list[str]]], columns: Columns, delimiter: str, file: Path) -> Listing:
    width = len(rows[0][1])
    found = []
    for line, row in rows[columns.header :]:
        if len(row) > width:
            raise DataError(f"{file}, line {line}: more fields than columns; quote fields that contain a comma.")
        if len(row) <= max(columns.path, columns.label) or not row[columns.path].strip():
            raise DataError(f"{file}, line {line}: a path or a label is missing.")
        split = row[columns.split] if columns.split is not None and columns.split < len(row) else ""
        found.append(Row(row[columns.path], row[columns.label], as_split(split)))
    header = rows[0][1]
    where = f"columns {header[columns.path].strip()} and {header[columns.label].strip()}" if columns.header else "rows"
    return Listing(found, f"{where} with {DELIMITERS[delimiter]} between")
