"""From the bytes of an image file to checked pixels."""

import os

from app.inference.images.checked import CheckedImage
from app.inference.images.errors import ImageError, ImageTooLargeError, UnsupportedImageError
from app.inference.images.formats import ACCEPTED, find_format
from app.inference.images.limits import DEFAULT_LIMITS, ImageLimits
from app.inference.images.pixels import Pixels
from app.shared.files import FileError, TooLargeFileError, read_file

MAX_FILE_BYTES = 64 * 1024 * 1024


def check_image(data: bytes, limits: ImageLimits) -> CheckedImage:
    """Look at the header and the structure of an image file, whose content tells its format, without decoding pixels.

    Raises:
        UnsupportedImageError: a format that is not read, or a kind of picture in it that is not.
        ImageTooLargeError: over the limits.
        DamagedImageError: the header cannot be read, or decoding would cost more than such an image may.
    """
    if not data:
        raise UnsupportedImageError(f"The upload is empty; send {ACCEPTED}.")
    image = find_format(data).inspect(data, limits)
    limits.check(image.width, image.height)
    return image


def decode_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Pixels:
    """Check and decode an image file: see `check_image` and `CheckedImage.decode`, and what they raise."""
    return check_image(data, limits).decode()


def load_image(path: str | os.PathLike[str], max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of an image's file.

    Raises:
        ImageTooLargeError: it has more bytes than that.
        ImageError: it is missing, cannot be read, or is not an ordinary file.
    """
    try:
        return read_file(path, max_bytes)
    except TooLargeFileError as error:
        raise ImageTooLargeError(f"{error}.") from error
    except FileError as error:
        raise ImageError(f"{error}.") from error
