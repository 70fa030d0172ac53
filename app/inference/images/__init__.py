"""Decoding of image files to checked pixels, and of pixels to a network's input.

The table in `formats` lists the supported formats. Contains no texts, networks or requests.
"""

from app.inference.images.checked import CheckedImage
from app.inference.images.decoding import check_image, decode_image, load_image
from app.inference.images.errors import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedImageError
from app.inference.images.fitting import fit_to_input, zoom
from app.inference.images.formats import ACCEPTED, FORMATS, SUFFIXES, find_format
from app.inference.images.limits import ImageLimits
from app.inference.images.pixels import Pixels

__all__ = [
    "ACCEPTED",
    "FORMATS",
    "SUFFIXES",
    "CheckedImage",
    "DamagedImageError",
    "ImageError",
    "ImageLimits",
    "ImageTooLargeError",
    "Pixels",
    "UnsupportedImageError",
    "check_image",
    "decode_image",
    "find_format",
    "fit_to_input",
    "load_image",
    "zoom",
]
