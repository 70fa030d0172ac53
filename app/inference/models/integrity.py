"""What tells that a model folder is whole and the right one: `SHA256SUMS`, and an image with the text in it."""

import re
from pathlib import Path
from typing import NamedTuple

from app.inference.models.folders import MAX_FILE_BYTES
from app.shared.files import FileError, read_file, sha256_of_file

SUMS_FILE, GOLDEN_IMAGE, GOLDEN_TEXT = "SHA256SUMS", "golden.png", "golden.txt"
MAX_BYTES = 1_000_000
# No path: a list of sums speaks of its own folder.
SUM_LINE = re.compile(r"([0-9A-Fa-f]{64}) [ *](?!\.{1,2}$)([^/\\\0]+)")


class Golden(NamedTuple):
    """The image that is kept with a model."""

    file: bytes
    text: str
    """What the model reads in it."""


def folder_sums(folder: Path, needed: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of the files that make a model what it is, compared with `SHA256SUMS` where there is one.

    Raises:
        FileError: a file is missing, is not the one that is listed, or the list is wrong.
    """
    optional = [name for name in (SUMS_FILE, GOLDEN_IMAGE, GOLDEN_TEXT) if (folder / name).exists()]
    listed = read_sums(folder / SUMS_FILE) if SUMS_FILE in optional else {}
    for name in needed if SUMS_FILE in optional else ():
        if name not in listed:
            raise FileError(f"{SUMS_FILE} does not list {name}")
    names = sorted({*needed, *optional, *listed})
    sums = {name: sha256_of_file(folder / name, MAX_FILE_BYTES) for name in names}
    for name, wanted in listed.items():
        if sums[name] != wanted:
            raise FileError(f"{name} has the SHA-256 {sums[name]}, but {SUMS_FILE} lists {wanted}")
    return sums


def read_golden(folder: Path) -> Golden | None:
    """The image that is kept with a model; None where there is none.

    Raises:
        FileError: one of the two is missing, or cannot be read.
    """
    if not (folder / GOLDEN_IMAGE).exists() and not (folder / GOLDEN_TEXT).exists():
        return None
    text = _decode(read_file(folder / GOLDEN_TEXT, MAX_BYTES), GOLDEN_TEXT)
    return Golden(read_file(folder / GOLDEN_IMAGE, MAX_BYTES), text.removesuffix("\n"))


def read_sums(path: Path) -> dict[str, str]:
    """Return what a `SHA256SUMS` lists: names of files in its folder, each with its checksum in lower case.

    Raises:
        FileError: it cannot be read, or is not such a list.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(_decode(read_file(path, MAX_BYTES), path.name).splitlines(), start=1):
        match = SUM_LINE.fullmatch(line)
        if not match:
            raise FileError(f"line {number} of {path.name} is not '<SHA-256>  <file of this folder>'")
        if match[2] in sums:
            raise FileError(f"{path.name} lists {match[2]} twice")
        sums[match[2]] = match[1].lower()
    return sums


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise FileError(f"{name} is not text in UTF-8") from error
