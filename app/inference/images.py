"""From the bytes of an upload to checked pixels, and from pixels to what a network takes."""

import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.inference.image_errors import (
    ACCEPTED,
    DamagedImageError,
    ImageError,
    ImageTooLargeError,
    UnsupportedImageError,
)
from app.inference.structure import MAX_INFLATION, PNG_SIGNATURE, Essentials, essentials, inflates_beyond

# Who decodes needs the errors too.
__all__ = ["ACCEPTED", "DamagedImageError", "ImageError", "ImageTooLargeError", "UnsupportedImageError"]

Pixels = NDArray[np.uint8]
"""An upright image, grey (height, width) or blue, green, red (height, width, 3), 0…255."""

# What OpenCV thinks of an upload is told to its sender, not to standard error.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Otherwise the first WebP or unknown file would wait for all of Pillow's formats to load.
Image.init()

SMALL_BYTES, SMALL_PIXELS, SMALL_CODES = 65_536, 100_000, 1000
SPARE_INFLATION = 10_000_000
"""How many bytes too many a PNG may inflate to unnoticed: they cost 20 ms at most, and to look for them costs all."""
MAX_CODES = 17_000
"""Of a WebP: each costs the decoder 6 kB and 6 µs."""
CODE_BITS, CODE_SIDE = 20, 4
"""A lossless WebP has a set of prefix codes for so many bits at least, and for a square of so many pixels a side."""
EXIF_ORIENTATION, EXIF_SHORT, UPRIGHT = 0x0112, 3, 1
MAX_EXIF_ENTRIES = 256
PNG_GREY = 0
PNG_DEPTHS = {PNG_GREY: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""The bits a channel that there are for each kind of colours."""

_PNG_HEADER = struct.Struct(">I4sIIBB3sI")


class Header(NamedTuple):
    """What is known of an image before its pixels: its size, and see `CheckedImage`."""

    width: int
    height: int
    transparent_grey: int | None = None


@dataclass(frozen=True)
class ImageLimits:
    """What is accepted, checked on the header before any pixel is decoded."""

    max_pixels: int = 4_000_000
    max_side: int = 8192


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image file whose header and structure are sound; no pixel is decoded yet.

    Attributes:
        data: the parts of the file that make the picture.
        format: "PNG", "JPEG" or "WEBP".
        width, height: in pixels, as stored.
        orientation: of EXIF; 1 is upright.
        transparent_grey: the grey value, 0…255, that a PNG's tRNS chunk makes transparent.
        codes: at most so many sets of prefix codes are in it, if it is a lossless WebP; else 0.
    """

    data: bytes
    format: str
    width: int
    height: int
    orientation: int
    transparent_grey: int | None
    codes: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    @property
    def is_small(self) -> bool:
        """Whether it is decoded in about a millisecond, and in some 20 ms if it is made to take long."""
        return len(self.data) <= SMALL_BYTES and self.pixels <= SMALL_PIXELS and self.codes <= SMALL_CODES

    def decode(self) -> Pixels:
        """Decode it; turn it upright; lay transparency on white. 16 bits a channel become 8, and grey stays grey.

        Raises:
            DamagedImageError: the pixels cannot be decoded, or there are many more than the header says.
        """
        if self.format == "PNG":
            self._check_inflation()
        try:
            pixels = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            pixels = None
        if pixels is None or pixels.shape[:2] != (self.height, self.width):
            raise DamagedImageError(f"The {self.format} image is damaged: its pixels cannot be decoded.")
        if self.transparent_grey is not None and pixels.ndim == 2:
            pixels = _with_grey_transparency(pixels, self.transparent_grey)
        pixels = _to_8_bits(pixels)  # the 16 bits are not kept: of the largest picture they take 32 MB
        return _upright(_on_white(pixels), self.orientation)

    def _check_inflation(self) -> None:
        """OpenCV would inflate all that there is, 1 GB of a file of 1 MB."""
        # At most 8 bytes a pixel and, if interlaced, less than two more for each row.
        most = 8 * self.pixels + 2 * self.height
        if len(self.data) * MAX_INFLATION > most + SPARE_INFLATION and inflates_beyond(self.data, most):
            raise DamagedImageError("The PNG image is damaged: it has more data than pixels.")


def check_image(data: bytes, limits: ImageLimits) -> CheckedImage:
    """Look at the header and the structure of a PNG, JPEG or WebP, told by the content, without decoding pixels.

    Raises:
        UnsupportedImageError: another format, or an animation.
        ImageTooLargeError: over the limits.
        DamagedImageError: the header cannot be read, or decoding would cost more than such an image may.
    """
    if not data:
        raise UnsupportedImageError(f"The upload is empty; send {ACCEPTED}.")
    parts = essentials(data)
    header = _read_png_header(parts) if parts.format == "PNG" else _read_header(parts, limits)
    _check_size(header, limits)
    return CheckedImage(
        data=parts.data,
        format=parts.format,
        width=header.width,
        height=header.height,
        orientation=_orientation(parts.exif) if parts.exif else UPRIGHT,
        transparent_grey=header.transparent_grey,
        codes=_count_codes(parts.lossless, header) if parts.lossless else 0,
    )


def decode_image(data: bytes, limits: ImageLimits = ImageLimits()) -> Pixels:
    """Check and decode a PNG, JPEG or WebP: see `check_image` and `CheckedImage.decode`, and what they raise."""
    return check_image(data, limits).decode()


def fit_to_input(pixels: Pixels, *, width: int, height: int, channels: int) -> Pixels:
    """Resize an image to a network's input and give it the input's channels.

    Returns:
        uint8 (height, width, channels); three channels are blue, green, red as `mltu` has them.
    """
    if channels == 1 and pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    elif channels == 3 and pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[:2] != (height, width):
        shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return pixels.reshape(height, width, channels)


def _read_png_header(parts: Essentials) -> Header:
    """What the first chunk says (PNG specification, 11.2.1): Pillow takes as long for it as all other checks."""
    try:
        fields = _PNG_HEADER.unpack_from(parts.data, len(PNG_SIGNATURE))
    except struct.error:
        fields = (0,) * 8
    length, kind, width, height, depth, colours, _, checksum = fields
    is_whole = length == 13 and kind == b"IHDR" and zlib.crc32(parts.data[12:29]) == checksum
    if not (is_whole and width and height and depth in PNG_DEPTHS.get(colours, ())):
        raise _unreadable_header("PNG")
    return Header(width, height, _transparent_grey(parts.transparency, depth) if colours == PNG_GREY else None)


def _read_header(parts: Essentials, limits: ImageLimits) -> Header:
    try:
        with Image.open(io.BytesIO(parts.data), formats=(parts.format,)) as image:
            return Header(*image.size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(f"The image is too large; {_too_large(limits)}") from error
    except Exception as error:
        # Pillow's parsers raise many kinds (SyntaxError, struct.error, ValueError …) on damaged headers.
        raise _unreadable_header(parts.format) from error


def _unreadable_header(file_format: str) -> DamagedImageError:
    return DamagedImageError(f"The {file_format} image is damaged: its header cannot be read.")


def _check_size(header: Header, limits: ImageLimits) -> None:
    too_wide = max(header.width, header.height) > limits.max_side
    if too_wide or header.width * header.height > limits.max_pixels:
        raise ImageTooLargeError(f"The image is {header.width}×{header.height} pixels; {_too_large(limits)}")


def _too_large(limits: ImageLimits) -> str:
    return f"at most {limits.max_pixels:,} pixels and {limits.max_side} a side are read."


def _count_codes(lossless_bytes: int, header: Header) -> int:
    squares = math.ceil(header.width / CODE_SIDE) * math.ceil(header.height / CODE_SIDE)
    codes = min(8 * lossless_bytes // CODE_BITS, squares)
    if codes > MAX_CODES:
        pixels, most_bytes = MAX_CODES * CODE_SIDE**2, MAX_CODES * CODE_BITS // 8
        raise ImageTooLargeError(
            f"The lossless WEBP image is too large: of such, at most {pixels:,} pixels or {most_bytes:,} bytes are "
            "read; send it as PNG."
        )
    return codes


def _orientation(exif: bytes) -> int:
    """What the first directory of EXIF data (CIPA DC-008) says; 1, upright, if they cannot be read."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(min(count, MAX_EXIF_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, directory + 2 + 12 * entry)
            if tag == EXIF_ORIENTATION and kind == EXIF_SHORT:
                return int(value)
    except struct.error:
        pass  # spoils no pixel
    return UPRIGHT


def _transparent_grey(transparency: bytes, depth: int) -> int | None:
    """The grey value that a PNG's tRNS chunk makes transparent (11.3.1.1): OpenCV drops it for grey images."""
    if len(transparency) != 2:
        return None
    value, greatest = int.from_bytes(transparency), 2**depth - 1
    # Pixels of 1, 2 and 4 bits are spread over 0…255, the chunk's value is not.
    return value if depth == 16 else (value & greatest) * 255 // greatest


def _with_grey_transparency(pixels: NDArray[Any], transparent: int) -> NDArray[Any]:
    opaque = np.iinfo(pixels.dtype).max
    alpha = np.where(pixels == transparent, 0, opaque).astype(pixels.dtype)
    return np.dstack([pixels, pixels, pixels, alpha])


def _to_8_bits(pixels: NDArray[Any]) -> Pixels:
    if pixels.dtype == np.uint16:
        return cv2.convertScaleAbs(pixels, alpha=1 / 257)
    return pixels


def _on_white(pixels: Pixels) -> Pixels:
    """Lay an image with an alpha channel on white.

    Where that leaves nothing to see (white ink on a transparent ground), the opacity itself is the picture.
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3]
    lowest_alpha, highest_alpha, _, _ = cv2.minMaxLoc(alpha)
    if lowest_alpha == 255:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    # 255 - (255 - colour) * opacity, which is rounded exactly: no product of two bytes is half of 255 off a whole one.
    laid = cv2.bitwise_not(pixels[..., :3])
    cv2.multiply(laid, cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), dst=laid, scale=1 / 255)
    cv2.bitwise_not(laid, dst=laid)
    darkest, lightest, _, _ = cv2.minMaxLoc(laid.reshape(-1))
    visible_contrast = lightest - darkest
    if visible_contrast < 16 and highest_alpha - lowest_alpha > visible_contrast:
        return cv2.bitwise_not(alpha)
    return laid


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (CIPA DC-008, tag 0x0112); 1 and unknown values leave the image as it is."""
    if orientation in {5, 6, 7, 8}:
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels
