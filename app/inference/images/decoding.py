"""Checking and decoding of image files."""

import os

from app.inference.images.checked import CheckedImage
from app.inference.images.errors import ImageError, ImageTooLargeError, UnsupportedImageError
from app.inference.images.formats import ACCEPTED, find_format
from app.inference.images.limits import DEFAULT_LIMITS, ImageLimits
from app.inference.images.pixels import Pixels
from app.shared.files import FileError, TooLargeFileError, read_file

MAX_FILE_BYTES = 64 * 1024 * 1024


def check_image(data: bytes, limits: ImageLimits) -> CheckedImage:
    """Check the header and structure of an image file without decoding pixels; detect its format from the content.

    Raises:
        UnsupportedImageError: if the format, or this variant of it, is not supported.
        ImageTooLargeError: if it exceeds the limits.
        DamagedImageError: if the header cannot be read, or decoding would be too costly for an image of its size.
    """
    if not data:
        raise UnsupportedImageError(f"The upload is empty; send {ACCEPTED}.")
    image = find_format(data).inspect(data, limits)
    limits.check(image.width, image.height)
    return image


def decode_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Pixels:
    """Check and decode an image file; see `check_image` and `CheckedImage.decode`, also for errors."""
    return check_image(data, limits).decode()


def load_image(path: str | os.PathLike[str], max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of an image file.

    Raises:
        ImageTooLargeError: if it has more than `max_bytes`.
        ImageError: if it is missing, cannot be read, or is not a regular file.
    """
    try:
        return read_file(path, max_bytes)
    except TooLargeFileError as error:
        raise ImageTooLargeError(f"{error}.") from error
    except FileError as error:
        raise ImageError(f"{error}.") from error
