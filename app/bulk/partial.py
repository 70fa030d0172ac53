"""`FILE.partial`, which collects rows until all images are read: a line that describes the job, then JSON lines."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from app.bulk.job import BulkError
from app.shared.files import lock

START = b'{"model": '
RETRY_HINT = "Repeat the earlier command, or start over with --restart."


def partial_of(output: Path) -> Path:
    """Return the file that collects the rows of an output until it is complete."""
    return output.with_name(f"{output.name}.partial")


@contextmanager
def open_partial(path: Path) -> Iterator[BinaryIO]:
    """Open a partial file for appending, created if missing, and lock it.

    Raises:
        BulkError: if another process has it open.
        OSError: if it cannot be written.
    """
    with path.open("ab") as file:
        if not lock(file):
            raise BulkError(f"Another process is writing {path}.")
        yield file


def resume(path: Path, made_with: Mapping[str, Any], paths: Iterator[str]) -> tuple[int, int]:
    """Advance `paths` past the images with rows in a partial file, and remove an incomplete last row.

    Args:
        path: of the partial file; it is rewritten if it has no row.
        made_with: description of the job, the model first, which the file must match.
        paths: all images, in the order of the rows.

    Returns:
        The number of rows, and the number of errors among them.

    Raises:
        BulkError: if the rows belong to other images or another job, or the file is not a partial file.
    """
    images = errors = 0
    with path.open("r+b") as file:
        first = file.readline()
        if not START.startswith(first[: len(START)]):
            raise BulkError(f"{path} is not a partial output of this command; move or delete it.")
        end = file.tell()
        while (row := _parse(file.readline())) is not None:
            if not images:
                _check_made_with(path, first, made_with)
            expected = next(paths, None)
            if row.get("path") != expected:
                current = f"is now {expected}" if expected else "is missing now"
                image = f"image {images + 1}, {row.get('path')}"
                raise BulkError(f"{path} belongs to other images: {image}, {current}. {RETRY_HINT}")
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
    """Yield the rows of a partial file, one line each."""
    with path.open("rb") as file:
        next(file)
        yield from file


def _check_made_with(path: Path, first: bytes, made_with: Mapping[str, Any]) -> None:
    before = _parse(first) or {}
    changed = [
        f"{key} was {before.get(key)}, is now {value}" for key, value in made_with.items() if before.get(key) != value
    ]
    if changed:
        raise BulkError(f"{path} was written with other options: {'; '.join(changed)}. {RETRY_HINT}")


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line; None if the line is incomplete."""
    if not line.endswith(b"\n"):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
