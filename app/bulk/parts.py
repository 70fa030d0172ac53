"""Output of a reading by many machines: a folder of Parquet files, one for each part of the images.

A part's file is written atomically and always has the same name. If a machine is lost before it reports a part, the
part is written again as the same file with the same rows.
"""

import io
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.bulk.filesystems import is_url, open_location
from app.bulk.formats import write_parquet
from app.bulk.job import BulkError
from app.bulk.partial import RETRY_HINT

PART = 1000
"""Images of a part, which are the rows of a file; a lost machine's parts are read again."""
STARTED, DONE = "_reading.json", "_SUCCESS"
PART_NAME = re.compile(r"part-(\d{6,})\.parquet")
UNFINISHED = re.compile(r"\..+\.tmp")
WHOLE_WHEN_CLOSED = {"s3", "gcs", "abfs"}


class PartFolder:
    """Folder of a reading's parts, at a local path or URL.

    Attributes:
        location: the path or URL as given.
        everywhere: the location for processes with other working folders.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.everywhere = location if is_url(location) else str(Path(location).absolute())
        self._filesystem, self._path = open_location(location)

    def check(self, *, force: bool, restart: bool) -> None:
        """Raise `BulkError` if the folder contains other files, or a finished reading without `force` or `restart`."""
        names = self._names()
        is_reading = STARTED in names
        for name in names:
            ours = name in {STARTED, DONE} or PART_NAME.fullmatch(name) or UNFINISHED.fullmatch(name)
            if not ours or not is_reading:
                raise BulkError(f"{self.location} contains other files, such as {name}; choose another --output.")
        if DONE in names and not force and not restart:
            raise BulkError(f"{self.location} already exists; choose another --output, or replace it with --force.")

    def begin(self, made_with: Mapping[str, Any], *, restart: bool) -> set[int]:
        """Prepare the folder for a reading, or resume an interrupted one.

        Args:
            made_with: description of the job, which all parts must share.
            restart: whether to remove an unfinished reading; a finished one is always removed.

        Returns:
            The numbers of the parts that exist already.

        Raises:
            BulkError: if the interrupted reading has other images or options.
        """
        names = self._names()
        if restart or DONE in names:
            # If interrupted, this leaves an unfinished reading that is still recognised as one.
            self._remove(sorted(names, key=lambda name: (name != DONE, name == STARTED)))
            names = set()
        if STARTED in names and (before := self.started_with()) != made_with:
            changed = [key for key in made_with if before.get(key) != made_with[key]]
            raise BulkError(f"{self.location} was started with another {' and another '.join(changed)}. {RETRY_HINT}")
        self._filesystem.create_dir(self._path, recursive=True)
        self._write(STARTED, json.dumps(made_with).encode())
        return {int(found[1]) for found in map(PART_NAME.fullmatch, names) if found}

    def started_with(self) -> dict[str, Any]:
        """Return the description of the job; empty if this machine cannot access the folder."""
        try:
            with self._filesystem.open_input_file(f"{self._path}/{STARTED}") as file:
                found: dict[str, Any] = json.loads(file.read())
        except FileNotFoundError:
            return {}
        return found

    def write(self, number: int, columns: Sequence[str], rows: Iterable[bytes]) -> None:
        """Write a part's rows (JSON lines), replacing any earlier file of it."""
        content = io.BytesIO()
        write_parquet(content, columns, rows)
        self._write(_name(number), content.getvalue())

    def count_errors(self, number: int) -> tuple[int, int]:
        """Return the number of rows of a part, and the number of errors among them."""
        import pyarrow.parquet as pq

        errors = pq.read_table(f"{self._path}/{_name(number)}", columns=["error"], filesystem=self._filesystem)
        return errors.num_rows, errors.num_rows - errors.column("error").null_count

    def finish(self, parts: int) -> None:
        """Mark the reading as finished; raise `BulkError` if parts are missing."""
        names = self._names()
        there = {name for name in names if PART_NAME.fullmatch(name)}
        if there != set(map(_name, range(parts))):
            raise BulkError(
                f"{self.location} has {len(there)} parts instead of {parts}: some machines wrote elsewhere."
            )
        self._remove(filter(UNFINISHED.fullmatch, names))
        self._write(DONE, b"")

    def _names(self) -> set[str]:
        from pyarrow.fs import FileSelector

        try:
            found = self._filesystem.get_file_info(FileSelector(self._path, allow_not_found=True))
        except OSError as error:
            raise BulkError(f"{self.location} cannot be listed: {error.strerror or error}.") from error
        return {entry.base_name for entry in found}

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._filesystem.delete_file(f"{self._path}/{name}")

    def _write(self, name: str, content: bytes) -> None:
        """Write a file atomically."""
        path = beside = f"{self._path}/{name}"
        if self._filesystem.type_name not in WHOLE_WHEN_CLOSED:
            beside = f"{self._path}/.{name}.{uuid.uuid4().hex}.tmp"
        with self._filesystem.open_output_stream(beside) as file:
            file.write(content)
        if beside != path:
            self._filesystem.move(beside, path)


def _name(number: int) -> str:
    return f"part-{number:06}.parquet"
