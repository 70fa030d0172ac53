"""The formats that are read, one module each, in one table.

A format is added by a module here, a line in `FORMATS`, and good files of it for the fuzzer (`benchmarks/fuzz.py`) and
the tests. Everything else follows from the table: what is accepted, which files of a folder are images, and what the
documentation says.
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
"""In words."""
SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)
"""What the names of image files end in, in small letters."""


def find_format(data: bytes) -> Format:
    """Return the format that a file's content shows.

    Raises:
        UnsupportedImageError: it is none of the table.
    """
    for one in FORMATS:
        if one.recognises(data):
            return one
    raise refusal(data, ACCEPTED)
