"""Integrity of a model folder: `SHA256SUMS`, and a golden image with its text."""

import re
from pathlib import Path
from typing import NamedTuple

from app.inference.models.folders import MAX_FILE_BYTES
from app.shared.files import FileError, read_file, sha256_of_file

SUMS_FILE, GOLDEN_IMAGE, GOLDEN_TEXT = "SHA256SUMS", "golden.png", "golden.txt"
MAX_BYTES = 1_000_000
MAX_FILES = 100
"""Maximum number of files in `SHA256SUMS`; all are hashed at each load. Trainings write up to twelve."""
# No paths: the list covers files of its own folder.
SUM_LINE = re.compile(r"([0-9A-Fa-f]{64}) [ *](?!\.{1,2}$)([^/\\\0]+)")


class Golden(NamedTuple):
    """Golden image of a model."""

    file: bytes
    text: str
    """Text that the model must read in it."""


def folder_sums(folder: Path, needed: tuple[str, ...]) -> dict[str, str]:
    """Return the SHA-256 of the files of a model, compared with `SHA256SUMS` if it exists.

    Raises:
        FileError: if a file is missing or does not match the list, or the list is invalid.
    """
    optional = [name for name in (SUMS_FILE, GOLDEN_IMAGE, GOLDEN_TEXT) if (folder / name).exists()]
    listed = read_sums(folder / SUMS_FILE) if SUMS_FILE in optional else {}
    for name in needed if SUMS_FILE in optional else ():
        if name not in listed:
            raise FileError(f"{SUMS_FILE} does not list {name}")
    names = sorted({*needed, *optional, *listed})
    sums = {name: sha256_of_file(folder / name, MAX_FILE_BYTES) for name in names}
    for name, expected in listed.items():
        if sums[name] != expected:
            raise FileError(f"{name} has the SHA-256 {sums[name]}, but {SUMS_FILE} lists {expected}")
    return sums


def read_golden(folder: Path) -> Golden | None:
    """Return the golden image of a model; None without one.

    Raises:
        FileError: if only one of image and text exists, or one cannot be read.
    """
    if not (folder / GOLDEN_IMAGE).exists() and not (folder / GOLDEN_TEXT).exists():
        return None
    text = _decode(read_file(folder / GOLDEN_TEXT, MAX_BYTES), GOLDEN_TEXT)
    return Golden(read_file(folder / GOLDEN_IMAGE, MAX_BYTES), text.removesuffix("\n"))


def read_sums(path: Path) -> dict[str, str]:
    """Return the checksums in a `SHA256SUMS`, in lower case, by file name.

    Raises:
        FileError: if it cannot be read or is not such a list.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(_decode(read_file(path, MAX_BYTES), path.name).splitlines(), start=1):
        match = SUM_LINE.fullmatch(line)
        if not match:
            raise FileError(f"line {number} of {path.name} is not '<SHA-256>  <file in this folder>'")
        if match[2] in sums:
            raise FileError(f"{path.name} lists {match[2]} twice")
        if len(sums) == MAX_FILES:
            raise FileError(f"{path.name} lists more than {MAX_FILES} files")
        sums[match[2]] = match[1].lower()
    return sums


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise FileError(f"{name} is not UTF-8 text") from error
