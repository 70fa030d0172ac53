"""A table on disk that is whole at every moment."""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.shared.csv_files import write_rows
from app.shared.files import write_atomically
from training.data.dataset import DataError

Row = dict[str, str]
PATH = "path"


class Table:
    """A CSV file with a row for each image, in memory and, after every change, on disk.

    The file is written beside and renamed, so that whoever kills the process, at whatever moment, finds it as it was
    before the last change or after it; so does a training that reads it. What other programs write into it is taken
    over, and columns that are not ours are kept. If the file is removed, the next change brings it back.

    Attributes:
        path: of the file.
        rows: by key, in the file's order: what was changed last comes last.

    Raises:
        DataError: the file is no such table.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, columns: Sequence[str], key_of: Callable[[str], str]) -> None:
        """Read the file if there is one.

        Args:
            path: of the file.
            columns: ours; the first two must be there in a file that others made.
            key_of: what tells a row's image, given its path: different paths may lead to the same one.
        """
        self.path = path
        self._needed, self._columns = columns[:2], list(columns)
        self._key_of = key_of
        self.rows: dict[str, Row] = {}
        self._known_as: tuple[int, ...] | None = None
        self.refresh()

    def refresh(self) -> bool:
        """Read the file again if another program has written it, and return whether it has."""
        try:
            found = _signature(self.path.stat())
        except FileNotFoundError:
            return False
        if found == self._known_as:
            return False
        names, rows = _read(self.path, self._needed)
        self._columns = [*names, *(column for column in self._columns if column not in names)]
        # Of several rows for an image, the last counts.
        self.rows = {self._key_of(row[PATH]): row for row in rows}
        self._known_as = found
        return True

    def put(self, key: str, values: Mapping[str, str]) -> None:
        """Write an image's row at the end, with what an earlier one had in other columns.

        Raises:
            OSError: it cannot be written; the table is as it was.
        """
        rows = dict(self.rows)
        rows[key] = {PATH: key} | rows.pop(key, {}) | dict(values)
        self._write(rows)

    def remove(self, key: str) -> None:
        """Take an image's row out if there is one.

        Raises:
            OSError: it cannot be written; the table is as it was.
        """
        if key in self.rows:
            self._write({other: row for other, row in self.rows.items() if other != key})

    def _write(self, rows: dict[str, Row]) -> None:
        with write_atomically(self.path) as file:
            write_rows(file, [self._columns])
            write_rows(file, ([row.get(column, "") for column in self._columns] for row in rows.values()))
            file.flush()
            written = _signature(os.fstat(file.fileno()))  # not looked up later, when the name may be another's
        _flush_folder(self.path.parent)
        self.rows, self._known_as = rows, written


def _signature(status: os.stat_result) -> tuple[int, ...]:
    """Return what a file that another program has written differs in."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: Path, needed: Sequence[str]) -> tuple[list[str], list[Row]]:
    """Return the columns and the rows of a file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or ())
            if not set(needed) <= set(names):
                raise DataError(f"{path}: the first line must name the columns {','.join(needed)}.")
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8.") from error
    for line, row in rows:
        if not row[PATH] or any(row[name] is None for name in needed):
            raise DataError(f"{path}, line {line}: {' and '.join(needed)} are needed.")
        if None in row:
            raise DataError(f"{path}, line {line}: there are more fields than columns; put what has a comma in quotes.")
    return names, [{name: value or "" for name, value in row.items()} for _, row in rows]


def _flush_folder(folder: Path) -> None:
    """Bring a renaming to the disk; Windows has no such call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
