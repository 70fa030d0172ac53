"""Files: read whole within a limit, and written whole or not at all."""

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class FileError(Exception):
    """A file cannot be used; the message names it, without its path, and says why."""


def read_file(path: Path, max_bytes: int) -> bytes:
    """The content of a file.

    Raises:
        FileError: it is missing, too large, or no ordinary file.
    """
    with _open(path, max_bytes) as file:
        return file.read(max_bytes)


def sha256_of_file(path: Path, max_bytes: int) -> str:
    """The checksum of a file, hexadecimal.

    Raises:
        FileError: it is missing, too large, or no ordinary file.
    """
    with _open(path, max_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _open(path: Path, max_bytes: int) -> Iterator[io.BufferedReader]:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{path.name} is not an ordinary file")
            if status.st_size > max_bytes:
                raise FileError(f"{path.name} is over {max_bytes:,} bytes")
            yield file
    except OSError as error:
        raise FileError(f"{path.name} cannot be read: {error.strerror}") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, or a pipe that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def write_atomically(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file beside `path` that takes its name when the block ends well, and is removed otherwise.

    Args:
        path: the file to write or replace.
        mode: "w" for text in UTF-8, "wb" for bytes.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with beside.open(mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
