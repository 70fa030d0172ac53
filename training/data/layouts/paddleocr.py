"""The list of PaddleOCR's recognition: a path, a tab and the text, a line each, without a header and without quotes."""

from pathlib import Path

from training.data.dataset import DataError
from training.data.layouts.listing import Listing, Row, names_image

REGIONS = '[{"transcription"'
"""How a line's text begins where it lists the regions of a whole page: what PaddleOCR's detection learns from."""


def read(text: str, file: Path) -> Listing | None:
    """Read a list of PaddleOCR; see `Layout`."""
    lines = [line.split("\t") for line in text.split("\n") if line.strip()]
    if not lines or any(len(fields) != 2 or not names_image(fields[0]) for fields in lines):
        return None
    if lines[0][1].startswith(REGIONS):
        raise DataError(f"{file} lists regions of pages, for detection. Cut each region out, and list its text.")
    return Listing([Row(path, label) for path, label in lines], "lines of a path, a tab and a text")
