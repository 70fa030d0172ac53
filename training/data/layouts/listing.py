"""The content of a list of labels, before its images are located."""

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
"""Common names of the splits."""


class Row(NamedTuple):
    """An image as written in a list, and its text."""

    path: str
    label: str
    split: str = ""
    """One of `SPLITS`, or "" if the list does not split its images."""


class Listing(NamedTuple):
    """The content of a list.

    Attributes:
        rows: the images.
        how: how they were found, for messages: 'columns file and text, separated by semicolons'.
        left_out: what was skipped and why, one message each.
    """

    rows: list[Row]
    how: str
    left_out: tuple[str, ...] = ()


def read_text(file: Path) -> str | None:
    """Return the text of a UTF-8 file, or a UTF-16 file with a byte order mark; None for anything else.

    Raises:
        OSError: the file cannot be read.
    """
    content = file.read_bytes()
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def names_image(text: str) -> bool:
    """Return whether a text ends like the path of an image."""
    return is_image(text.strip())


def split_of(name: str) -> str:
    """Return the split that the name of a folder or list (`rec_gt_train.txt`) stands for; "" if none."""
    found = {SPLIT_NAMES[word] for word in re.split(r"[^a-z]+", name.lower()) if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else ""


def as_split(value: str) -> str:
    """Return the split named in a cell; "" if none."""
    return SPLIT_NAMES.get(value.strip().lower(), "") if value.strip() not in SPLITS else value.strip()
