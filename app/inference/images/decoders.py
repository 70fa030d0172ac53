"""The libraries that decode, each shown only what a format's checks have let through."""

import io

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8
from PIL import Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401 - the formats that `preinit` leaves out

from app.inference.images.errors import ImageTooLargeError, damaged, unreadable_header
from app.inference.images.limits import ImageLimits
from app.inference.images.pixels import DecodedPixels

# What OpenCV thinks of an upload is told to its sender, not to standard error.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Otherwise the first file would wait for Pillow's modules to load; `init` would load forty more.
Image.preinit()

_CHANNELS = {"L": None, "I;16": None, "I;16B": None, "RGB": cv2.COLOR_RGB2BGR, "RGBA": cv2.COLOR_RGBA2BGRA}
"""The modes of Pillow that are taken as they are, and how their channels come into OpenCV's order."""


def read_size(data: bytes, file_format: str, limits: ImageLimits) -> tuple[int, int]:
    """Return width and height of a file, in pixels, by its header as Pillow reads it.

    Raises:
        ImageTooLargeError: they are more than Pillow opens.
        DamagedImageError: the header cannot be read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=(file_format.upper(),)) as image:
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(f"The image is too large; {limits}") from error
    except Exception as error:
        # Pillow's parsers raise many kinds (SyntaxError, struct.error, ValueError …) on damaged headers.
        raise unreadable_header(file_format) from error


_PNG_MODES = {1: ("mono", None), 3: ("rgb", cv2.COLOR_RGB2BGR), 4: ("rgba", cv2.COLOR_RGBA2BGRA)}
"""By their channels: what kornia-rs calls pictures, and how they come into OpenCV's order."""


def with_png_crate(data: bytes, width: int, height: int, channels: int) -> DecodedPixels | None:
    """Decode a PNG of 8 bits a channel without a palette, with the `png` crate of Rust, which kornia-rs brings.

    It is faster than OpenCV (`docs/performance.md`), inflates no more than the pixels, and is safe from faults of
    memory. It looks at the checksums of chunks, and not at that of the inflated data. It holds the interpreter's lock
    meanwhile, so it is for small pictures.

    Args:
        data: the file.
        width: by its header, in pixels.
        height: by its header, in pixels.
        channels: by its header: 1, 3 or 4.

    Returns:
        None where it cannot be decoded.
    """
    mode, conversion = _PNG_MODES[channels]
    try:
        pixels = decode_image_png_u8(data, (height, width), mode)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - it promises no kind, and a panic of Rust is no Exception
        return None
    return pixels[..., 0] if conversion is None else cv2.cvtColor(pixels, conversion, dst=pixels)


def with_opencv(data: bytes, file_format: str, width: int, height: int) -> DecodedPixels:
    """Decode a file with OpenCV, keeping its depth and channels.

    Raises:
        DamagedImageError: it cannot be decoded, or is not of this size in pixels.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != (height, width):
        raise damaged(file_format, "its pixels cannot be decoded")
    return pixels


def with_pillow(data: bytes, file_format: str, width: int, height: int) -> DecodedPixels:
    """Decode a file with that one of Pillow's decoders which is for this format.

    Raises:
        DamagedImageError: it cannot be decoded, or is not of this size in pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=(file_format.upper(),)) as image:
            if image.size != (width, height):
                raise ValueError(image.size)
            mode = image.mode if image.mode in _CHANNELS else _wider_mode(image)
            pixels = np.asarray(image if mode == image.mode else image.convert(mode))
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise damaged(file_format, "its pixels cannot be decoded") from error
    if mode == "I;16B":
        pixels = pixels.astype(np.uint16)  # in this machine's order of bytes
    conversion = _CHANNELS[mode]
    return pixels if conversion is None else cv2.cvtColor(pixels, conversion)


def _wider_mode(image: Image.Image) -> str:
    """Return the mode, of those taken as they are, that loses nothing of an image's."""
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode == "1" else "RGB"
