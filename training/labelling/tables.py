"""A CSV table on disk that is complete at every moment."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.shared.csv_files import write_rows
from app.shared.files import write_atomically
from training.data.dataset import read_rows

Row = dict[str, str]
PATH = "path"


class Table:
    """A CSV file with a row for each image, in memory and, after every change, on disk.

    Changes are written to a new file that replaces the old one. If the process is killed, the file has the state before
    or after the last change; so has a training that reads it. Changes by other programs are loaded, and unknown columns
    are kept. If the file is removed, the next change recreates it.

    Attributes:
        path: the file.
        rows: by key, in the file's order: the last changed comes last.

    Raises:
        DataError: the file is not such a table.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, columns: Sequence[str], key_of: Callable[[str], str]) -> None:
        """Read the file if it exists.

        Args:
            path: the file.
            columns: our columns; files from other programs must have the first two.
            key_of: returns the image's key, given its path: different paths may lead to the same image.
        """
        self.path = path
        self._needed, self._columns = columns[:2], list(columns)
        self._key_of = key_of
        self.rows: dict[str, Row] = {}
        self._known_as: tuple[int, ...] | None = None
        self.refresh()

    def refresh(self) -> bool:
        """Read the file again if another program has changed it, and return whether it has."""
        try:
            found = _signature(self.path.stat())
        except FileNotFoundError:
            return False
        if found == self._known_as:
            return False
        names, rows = read_rows(self.path, self._needed)
        self._columns = [*names, *(column for column in self._columns if column not in names)]
        # The last of several rows for an image wins.
        self.rows = {self._key_of(row[PATH]): row for row in rows}
        self._known_as = found
        return True

    def put(self, key: str, values: Mapping[str, str]) -> None:
        """Append an image's row, keeping other columns of its earlier row.

        Raises:
            OSError: the file cannot be written; the table is unchanged.
        """
        rows = dict(self.rows)
        rows[key] = {PATH: key} | rows.pop(key, {}) | dict(values)
        self._write(rows)

    def remove(self, key: str) -> None:
        """Remove an image's row if there is one; raise like `put`."""
        if key in self.rows:
            self._write({other: row for other, row in self.rows.items() if other != key})

    def _write(self, rows: dict[str, Row]) -> None:
        with write_atomically(self.path) as file:
            write_rows(file, [self._columns])
            write_rows(file, ([row.get(column, "") for column in self._columns] for row in rows.values()))
            file.flush()
            written = _signature(os.fstat(file.fileno()))  # not by name: the file may be replaced
        _flush_folder(self.path.parent)
        self.rows, self._known_as = rows, written


def _signature(status: os.stat_result) -> tuple[int, ...]:
    """Return values that differ after another program has written the file."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _flush_folder(folder: Path) -> None:
    """Flush a rename to disk; Windows has no such call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
