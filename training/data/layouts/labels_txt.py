"""A text file beside the images: one name, a space or a colon, and the text per line."""

import re
from pathlib import Path

from app.inference.images.formats import SUFFIXES
from training.data.layouts.listing import Listing, Row

LINE = re.compile(rf"(?P<path>.+?(?:{'|'.join(map(re.escape, SUFFIXES))}))\s*[:=|\s]\s*(?P<label>.*)", re.IGNORECASE)


def read(text: str, _: Path) -> Listing | None:
    """Read a list of lines such as `0.png 2b827`; see `Layout`."""
    lines = [LINE.fullmatch(line.rstrip("\r")) for line in text.split("\n") if line.strip()]
    rows = [Row(line["path"], line["label"]) for line in lines if line]
    return Listing(rows, "lines of a name and a text") if rows and len(rows) == len(lines) else None
