"""What a list of labels says, before its images are looked for."""

import re
from pathlib import Path
from typing import NamedTuple

from app.inference.images.paths import is_image
from training.data.dataset import SPLITS, TEST, TRAIN, VALIDATION

SPLIT_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "eval": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""What people call the parts of their data."""


class Row(NamedTuple):
    """An image as a list names it, and its text."""

    path: str
    label: str
    split: str = ""
    """One of `SPLITS`, or "" where the list does not divide its images."""


class Listing(NamedTuple):
    """What was found in a list.

    Attributes:
        rows: the images.
        how: how they were found in it: 'in the columns file and text, between semicolons'.
        left_out: what was not taken and why, a line each.
    """

    rows: list[Row]
    how: str
    left_out: tuple[str, ...] = ()


def read_text(file: Path) -> str | None:
    """Return a file's text in UTF-8, or UTF-16 with its mark; None if it is something else.

    Raises:
        OSError: it cannot be read.
    """
    content = file.read_bytes()
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def names_image(text: str) -> bool:
    """Return whether a text is the path of an image, by its ending."""
    return is_image(text.strip())


def split_of(name: str) -> str:
    """Return the part of the data that the name of a folder or a list (`rec_gt_train.txt`) stands for; "" if none."""
    found = {SPLIT_NAMES[word] for word in re.split(r"[^a-z]+", name.lower()) if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else ""


def as_split(value: str) -> str:
    """Return the part of the data that a cell names; "" if none."""
    return SPLIT_NAMES.get(value.strip().lower(), "") if value.strip() not in SPLITS else value.strip()
