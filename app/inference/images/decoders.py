"""Decoding libraries, which receive only checked data."""

import io
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8

from app.inference.images.errors import ImageTooLargeError, damaged, unreadable_header
from app.inference.images.limits import ImageLimits
from app.inference.images.pixels import DecodedPixels

if TYPE_CHECKING:
    from PIL.Image import Image

# Errors are reported to the sender of an upload; OpenCV would also write them to standard error.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


_CHANNELS = {"L": None, "I;16": None, "I;16B": None, "RGB": cv2.COLOR_RGB2BGR, "RGBA": cv2.COLOR_RGBA2BGRA}
"""Pillow's modes that need no conversion, and the conversions of their channels to OpenCV's order."""


@cache
def _pillow() -> ModuleType:
    """Return `PIL.Image`, imported on first use: PNG and JPEG, the usual formats, do not need it."""
    from PIL import Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401 - the formats that `preinit` leaves out

    Image.preinit()  # `init` would load forty more
    return Image


def read_size(data: bytes, file_format: str, limits: ImageLimits) -> tuple[int, int]:
    """Return the width and height of a file in pixels, from its header, read by Pillow.

    Raises:
        ImageTooLargeError: if they exceed Pillow's limit.
        DamagedImageError: if the header cannot be read.
    """
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(data), formats=(file_format.upper(),)) as image:
            return image.size
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise ImageTooLargeError(f"The image is too large; {limits}") from error
    except Exception as error:
        # Pillow's parsers raise many types (SyntaxError, struct.error, ValueError …) on damaged headers.
        raise unreadable_header(file_format) from error


_PNG_MODES = {1: ("mono", None), 3: ("rgb", cv2.COLOR_RGB2BGR), 4: ("rgba", cv2.COLOR_RGBA2BGRA)}
"""kornia-rs' modes by number of channels, and the conversions to OpenCV's order."""


def with_png_crate(data: bytes, width: int, height: int, channels: int) -> DecodedPixels | None:
    """Decode a PNG with 8 bits a channel and no palette, of 1, 3 or 4 channels, with Rust's `png` crate from kornia-rs.

    It is faster than OpenCV (`docs/performance.md`), inflates no more than the pixels, and is memory-safe. It verifies
    the checksums of chunks but not that of the inflated data. It holds the GIL, so it is only for small images.

    Returns:
        The pixels, or None if they cannot be decoded.
    """
    mode, conversion = _PNG_MODES[channels]
    try:
        pixels = decode_image_png_u8(data, (height, width), mode)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - undocumented types, and a Rust panic is not an Exception
        return None
    return pixels[..., 0] if conversion is None else cv2.cvtColor(pixels, conversion, dst=pixels)


def with_opencv(data: bytes, file_format: str, width: int, height: int) -> DecodedPixels:
    """Decode a file with OpenCV, keeping its depth and channels.

    Raises:
        DamagedImageError: if it cannot be decoded, or does not have this size in pixels.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != (height, width):
        raise damaged(file_format, "its pixels cannot be decoded")
    return pixels


def with_pillow(data: bytes, file_format: str, width: int, height: int) -> DecodedPixels:
    """Decode a file with Pillow's decoder for this format.

    Raises:
        DamagedImageError: if it cannot be decoded, or does not have this size in pixels.
    """
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(data), formats=(file_format.upper(),)) as image:
            if image.size != (width, height):
                raise ValueError(image.size)
            mode = image.mode if image.mode in _CHANNELS else _wider_mode(image)
            pixels = np.asarray(image if mode == image.mode else image.convert(mode))
    except Exception as error:  # Pillow's decoders raise many types on damaged files
        raise damaged(file_format, "its pixels cannot be decoded") from error
    if mode == "I;16B":
        pixels = pixels.astype(np.uint16)  # in native byte order
    conversion = _CHANNELS[mode]
    return pixels if conversion is None else cv2.cvtColor(pixels, conversion)


def _wider_mode(image: "Image") -> str:
    """Return the lossless conversion target among the modes in `_CHANNELS`."""
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode == "1" else "RGB"
