"""A folder of Parquet files, one for each part of the images, which is the output of a reading by many machines.

A part's file is written whole and always under the same name: written again, because the machine that had written it
was lost before it could say so, it is the same file with the same rows.
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

PART = 1000
"""Images of a part: what is read again where a machine is lost, and the rows of a file."""
STARTED, DONE = "_reading.json", "_SUCCESS"
PART_NAME = re.compile(r"part-(\d{6,})\.parquet")
UNFINISHED = re.compile(r"\..+\.tmp")
WHOLE_WHEN_CLOSED = {"s3", "gcs", "abfs"}


class PartFolder:
    """The folder of a reading's parts, at a path of this machine or behind a URL.

    Attributes:
        location: the path or URL, as it was given.
        everywhere: the same for processes that work in other folders.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.everywhere = location if is_url(location) else str(Path(location).absolute())
        self._filesystem, self._path = open_location(location)

    def check(self, *, force: bool, restart: bool) -> None:
        """Look whether the folder can be written to.

        Raises:
            BulkError: it holds something else, or a finished reading that nobody said to replace.
        """
        names = self._names()
        is_reading = STARTED in names
        for name in names:
            ours = name in {STARTED, DONE} or PART_NAME.fullmatch(name) or UNFINISHED.fullmatch(name)
            if not ours or not is_reading:
                raise BulkError(f"{self.location} holds other files, such as {name}; name another --output.")
        if DONE in names and not force and not restart:
            raise BulkError(f"{self.location} exists already; name another --output, or replace it with --force.")

    def begin(self, made_with: Mapping[str, Any], *, restart: bool) -> set[int]:
        """Make the folder ready for the parts of a reading, and go on with one that was interrupted.

        Args:
            made_with: what all parts must be made with.
            restart: whether to remove what an earlier reading has left; a finished one is removed anyway.

        Returns:
            The numbers of the parts that are there already.

        Raises:
            BulkError: the reading that was interrupted is of other images or made otherwise.
        """
        names = self._names()
        if restart or DONE in names:
            # What is left if this is cut off is an unfinished reading, and is known as such to the end.
            self._remove(sorted(names, key=lambda name: (name != DONE, name == STARTED)))
            names = set()
        if STARTED in names and (before := self.started_with()) != made_with:
            changed = [key for key in made_with if before.get(key) != made_with[key]]
            raise BulkError(
                f"{self.location} was begun with another {' and another '.join(changed)}. Go on with the command of "
                "before, or begin anew with --restart."
            )
        self._filesystem.create_dir(self._path, recursive=True)
        self._write(STARTED, json.dumps(made_with).encode())
        return {int(found[1]) for found in map(PART_NAME.fullmatch, names) if found}

    def started_with(self) -> dict[str, Any]:
        """Return what the parts are made with; nothing where this machine does not see the folder."""
        try:
            with self._filesystem.open_input_file(f"{self._path}/{STARTED}") as file:
                found: dict[str, Any] = json.loads(file.read())
        except FileNotFoundError:
            return {}
        return found

    def write(self, number: int, columns: Sequence[str], rows: Iterable[bytes]) -> None:
        """Write a part's rows (JSON lines); whoever wrote it before, it is this part alone then."""
        content = io.BytesIO()
        write_parquet(content, columns, rows)
        self._write(_name(number), content.getvalue())

    def count_errors(self, number: int) -> tuple[int, int]:
        """Return how many rows a part has, and how many of them are errors."""
        import pyarrow.parquet as pq

        errors = pq.read_table(f"{self._path}/{_name(number)}", columns=["error"], filesystem=self._filesystem)
        return errors.num_rows, errors.num_rows - errors.column("error").null_count

    def finish(self, parts: int) -> None:
        """Say that all parts are there.

        Raises:
            BulkError: they are not.
        """
        names = self._names()
        there = {name for name in names if PART_NAME.fullmatch(name)}
        if there != set(map(_name, range(parts))):
            raise BulkError(
                f"{self.location} has {len(there)} parts instead of {parts}: not every machine writes there."
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
        """Write a file that is there whole or not at all."""
        path = beside = f"{self._path}/{name}"
        if self._filesystem.type_name not in WHOLE_WHEN_CLOSED:
            beside = f"{self._path}/.{name}.{uuid.uuid4().hex}.tmp"
        with self._filesystem.open_output_stream(beside) as file:
            file.write(content)
        if beside != path:
            self._filesystem.move(beside, path)


def _name(number: int) -> str:
    return f"part-{number:06}.parquet"
