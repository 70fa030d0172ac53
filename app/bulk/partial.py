"""The file that rows are kept in until all images are read: `FILE.partial`, what it was made with and JSON lines."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from app.bulk.job import BulkError
from app.shared.files import lock

START = b'{"model": '
AGAIN = "Go on with the command of before, or begin anew with --restart."


def partial_of(output: Path) -> Path:
    """Return where the rows of an output are kept until it is complete."""
    return output.with_name(f"{output.name}.partial")


@contextmanager
def open_partial(path: Path) -> Iterator[BinaryIO]:
    """Open a partial file to append to, made if there is none, for this process alone.

    Raises:
        BulkError: another process has it open.
        OSError: it cannot be written.
    """
    with path.open("ab") as file:
        if not lock(file):
            raise BulkError(f"Another process is writing {path}.")
        yield file


def go_on(path: Path, made_with: Mapping[str, Any], paths: Iterator[str]) -> tuple[int, int]:
    """Advance `paths` beyond the images that a partial file has rows of, and cut off a row half written.

    Args:
        path: of the partial file; one that has no row is begun anew.
        made_with: what its rows must be made with, the model first.
        paths: all images, in the order of the rows.

    Returns:
        How many rows it has, and how many of them are errors.

    Raises:
        BulkError: its rows are of other images or made otherwise, or it is something else.
    """
    images = errors = 0
    with path.open("r+b") as file:
        first = file.readline()
        if not START.startswith(first[: len(START)]):
            raise BulkError(f"{path} is not the beginning of an output of this command; move it away.")
        end = file.tell()
        while (row := _parse(file.readline())) is not None:
            if not images:
                _check_made_with(path, first, made_with)
            expected = next(paths, None)
            if row.get("path") != expected:
                there = f"is {expected} now" if expected else "is not there now"
                was = f"number {images + 1}, {row.get('path')}"
                raise BulkError(f"{path} belongs to other images: {was}, {there}. {AGAIN}")
            images += 1
            errors += row.get("error") is not None
            end = file.tell()
        file.truncate(end)
        if not images:
            file.truncate(0)
            file.seek(0)
            file.write(json.dumps(made_with).encode() + b"\n")
    return images, errors


def read_rows(path: Path) -> Iterator[bytes]:
    """Yield the rows of a partial file, each a line."""
    with path.open("rb") as file:
        next(file)
        yield from file


def _check_made_with(path: Path, first: bytes, made_with: Mapping[str, Any]) -> None:
    before = _parse(first) or {}
    changed = [
        f"{key} was {before.get(key)} and is {value} now"
        for key, value in made_with.items()
        if before.get(key) != value
    ]
    if changed:
        raise BulkError(f"{path} was made otherwise: {', '.join(changed)}. {AGAIN}")


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line; None if the line was not written to its end."""
    if not line.endswith(b"\n"):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
