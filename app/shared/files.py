"""Bounded reads, locks and atomic writes of files."""

import hashlib
import io
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


class FileError(Exception):
    """A file cannot be used; the message names it, without its path, and says why."""


class TooLargeFileError(FileError):
    """A file exceeds the size limit."""


def read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the content of a file of at most `max_bytes`.

    Raises:
        TooLargeFileError: if it is larger.
        FileError: if it is missing or not a regular file.
    """
    with _open(path, max_bytes) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def sha256_of_file(path: str | os.PathLike[str], max_bytes: int) -> str:
    """Return the SHA-256 of a file in hexadecimal; raise like `read_file`."""
    with _open(path, max_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _open(path: str | os.PathLike[str], max_bytes: int) -> Iterator[io.FileIO]:
    """Open a regular file of at most `max_bytes` for reading; raise like `read_file`."""
    try:
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{_name(path)} is not a regular file")
            if status.st_size > max_bytes:
                raise TooLargeFileError(f"{_name(path)} is over {max_bytes:,} bytes")
            yield file
    except OSError as error:
        raise FileError(f"{_name(path)} cannot be read: {error.strerror}") from error


def _name(path: str | os.PathLike[str]) -> str:
    return Path(path).name


def _without_waiting(path: str, flags: int) -> int:
    """Open without blocking on a pipe that has no writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def lock(file: IO[Any], *, exclusive: bool = True) -> bool:
    """Lock an open file until it is closed; return False if another process holds the lock."""
    if fcntl is not None:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def write_atomically(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; it replaces `path` if the block succeeds and is removed otherwise.

    The mode is "w" for text in UTF-8, or "wb" for bytes.

    Raises:
        OSError: if it cannot be written; the error names `path`.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with beside.open(mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if error.filename in {None, str(beside)}:  # None on a full disk
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_json(document: Any, path: Path) -> None:
    """Write a document as JSON atomically."""
    with write_atomically(path) as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """Create a temporary folder beside `folder`; it replaces `folder` if the block succeeds and is removed otherwise.

    Process ids are reused, above all in containers, so the remains of a killed process are removed first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside, replaced = (folder.with_name(f".{folder.name}.{os.getpid()}.{ending}") for ending in ("tmp", "old"))
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            folder.rename(replaced)
        beside.rename(folder)
    finally:
        if replaced.exists() and not folder.exists():  # interrupted between the two renames
            replaced.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def error_in_words(error: OSError, path: str | os.PathLike[str] = "") -> str:
    """Return the system's message, prefixed with the path in the error or else with `path`."""
    if error.errno is None:  # not raised by the system
        return str(error)
    return ": ".join(filter(None, [str(error.filename or path), os.strerror(error.errno)]))
