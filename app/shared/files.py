"""Files: read whole within a limit, locked, and written whole or not at all."""

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
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


class FileError(Exception):
    """A file cannot be used; the message names it, without its path, and says why."""


class TooLargeFileError(FileError):
    """A file has more bytes than are read."""


def read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the content of a file.

    Raises:
        TooLargeFileError: it is too large.
        FileError: it is missing, or not an ordinary file.
    """
    with _open(path, max_bytes) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def sha256_of_file(path: str | os.PathLike[str], max_bytes: int) -> str:
    """Return the checksum of a file, hexadecimal; raise as `read_file` does."""
    with _open(path, max_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _open(path: str | os.PathLike[str], max_bytes: int) -> Iterator[io.FileIO]:
    """Open a file to read, if it is an ordinary one and not too large; raise as `read_file` does."""
    try:
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{_name(path)} is not an ordinary file")
            if status.st_size > max_bytes:
                raise TooLargeFileError(f"{_name(path)} is over {max_bytes:,} bytes")
            yield file
    except OSError as error:
        raise FileError(f"{_name(path)} cannot be read: {error.strerror}") from error


def _name(path: str | os.PathLike[str]) -> str:
    return Path(path).name


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, or a pipe that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def lock(file: IO[Any], *, exclusive: bool = True) -> bool:
    """Lock an open file until it is closed; return whether that was possible, as another process may have locked it."""
    if fcntl is not None:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def write_atomically(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file beside `path` that takes its name when the block ends well, and is removed otherwise.

    The mode is "w" for text in UTF-8, or "wb" for bytes.

    Raises:
        OSError: it cannot be written; the error names it.
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
    """Write a document as JSON, whole or not at all."""
    with write_atomically(path) as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """Make a folder beside `folder` that takes its name when the block ends well, and is removed otherwise.

    What is there already is replaced. Process ids are used again, above all in containers: what a killed process has
    left is removed.
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
        if replaced.exists() and not folder.exists():  # interrupted between the two
            replaced.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def error_in_words(error: OSError, path: str | os.PathLike[str] = "") -> str:
    """Return what the system says is wrong, after the path that it names; if it names none, after the given one."""
    if error.errno is None:  # not from the system
        return str(error)
    return ": ".join(filter(None, [str(error.filename or path), os.strerror(error.errno)]))
