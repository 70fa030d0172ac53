"""PaddleOCR's recognition list: a path, a tab and the text per line, without header or quotes."""

from pathlib import Path

from training.data.dataset import DataError
from training.data.layouts.listing import Listing, Row, names_image

REGIONS = '[{"transcription"'
"""Start of a line's text in PaddleOCR's detection lists, which hold the regions of a whole page."""


def read(text: str, file: Path) -> Listing | None:
    """Read a PaddleOCR list; see `Layout`."""
    lines = [line.split("\t") for line in text.split("\n") if line.strip()]
    if not lines or any(len(fields) != 2 or not names_image(fields[0]) for fields in lines):
        return None
    if lines[0][1].startswith(REGIONS):
        raise DataError(f"{file} is a detection list with regions of pages. Crop each region, and list its text.")
    return Listing([Row(path, label) for path, label in lines], "lines of a path, a tab and a text")
