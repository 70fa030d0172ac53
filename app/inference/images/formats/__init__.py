"""Table of the supported formats, one module each.

To add a format, add a module here, an entry in `FORMATS`, and valid files for the fuzzer (`benchmarks/fuzz.py`) and
the tests. The rest follows from the table: accepted uploads, image files in folders, and the documentation.
"""

from app.inference.images.formats.bmp import BMP
from app.inference.images.formats.format import Format
from app.inference.images.formats.gif import GIF
from app.inference.images.formats.jpeg import JPEG
from app.inference.images.formats.png import PNG
from app.inference.images.formats.refused import refusal
from app.inference.images.formats.tiff import TIFF
from app.inference.images.formats.webp import WEBP

FORMATS = (PNG, JPEG, WEBP, GIF, BMP, TIFF)

_NAMES = [one.name for one in FORMATS]
ACCEPTED = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
"""List of the formats in words."""
SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)
"""Suffixes of image files, in lower case."""


def find_format(data: bytes) -> Format:
    """Return the format of a file, detected from its content.

    Raises:
        UnsupportedImageError: if it is not in the table.
    """
    for one in FORMATS:
        if one.recognises(data):
            return one
    raise refusal(data, ACCEPTED)
