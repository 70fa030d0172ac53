"""From the bytes of an upload to checked pixels, and from pixels to what a network takes."""

import io
import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]
"""An upright image, grey (height, width) or blue, green, red (height, width, 3), 0…255."""

# What OpenCV thinks of an upload is told to its sender, not to standard error.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Otherwise the first WebP or unknown file would wait for all of Pillow's formats to load.
Image.init()

FORMATS = ("PNG", "JPEG", "WEBP")
ACCEPTED = "PNG, JPEG or WebP, one still picture"
DAMAGED_HEADER = "The image is damaged: its header cannot be read."
EXIF_ORIENTATION = 0x0112
MAX_JPEG_SCANS = 100


class ImageError(Exception):
    """The bytes are not an image that can be read; the message says why, for the sender."""


class UnsupportedImageError(ImageError):
    """Neither PNG, JPEG nor WebP, or more than one frame."""


class ImageTooLargeError(ImageError):
    """More pixels than are accepted."""


class DamagedImageError(ImageError):
    """The right format, but its pixels cannot be decoded."""


@dataclass(frozen=True)
class ImageLimits:
    """What is accepted, checked on the header before any pixel is decoded."""

    max_pixels: int = 4_000_000
    max_side: int = 8192


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image file whose header and structure are sound; no pixel is decoded yet.

    Attributes:
        data: the file.
        format: "PNG", "JPEG" or "WEBP".
        width, height: in pixels, as stored.
        orientation: of EXIF; 1 is upright.
        transparent_grey: the grey value, 0…255, that a PNG's tRNS chunk makes transparent.
    """

    data: bytes
    format: str
    width: int
    height: int
    orientation: int
    transparent_grey: int | None

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    def decode(self) -> Pixels:
        """Decode it; turn it upright; lay transparency on white. 16 bits a channel become 8, and grey stays grey.

        Raises:
            DamagedImageError: the pixels cannot be decoded.
        """
        try:
            pixels = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            pixels = None
        if pixels is None or pixels.shape[:2] != (self.height, self.width):
            raise DamagedImageError(f"The {self.format} image is damaged: its pixels cannot be decoded.")
        if self.transparent_grey is not None and pixels.ndim == 2:
            pixels = _with_grey_transparency(pixels, self.transparent_grey)
        return _upright(_on_white(_to_8_bits(pixels)), self.orientation)


def check_image(data: bytes, limits: ImageLimits) -> CheckedImage:
    """Look at the header and the structure of a PNG, JPEG or WebP, told by the content, without decoding pixels.

    Raises:
        UnsupportedImageError: another format, or an animation.
        ImageTooLargeError: over the limits.
        DamagedImageError: the header cannot be read, or decoding would cost more than such an image may.
    """
    image = _read_header(data, limits)
    _check_structure(image)
    return image


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


def _read_header(data: bytes, limits: ImageLimits) -> CheckedImage:
    if not data:
        raise UnsupportedImageError(f"The upload is empty; send {ACCEPTED}.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, limits)
            # Cameras append a preview to a JPEG file, which Pillow then calls MPO.
            file_format = "JPEG" if image.format == "MPO" else str(image.format)
            if file_format != "JPEG" and getattr(image, "n_frames", 1) > 1:
                raise UnsupportedImageError(f"The image is an animation; send {ACCEPTED}.")
            return CheckedImage(
                data=data,
                format=file_format,
                width=image.width,
                height=image.height,
                orientation=_orientation(image, data),
                transparent_grey=_transparent_grey(image, data),
            )
    except UnidentifiedImageError as error:
        if _has_signature(data):
            raise DamagedImageError(DAMAGED_HEADER) from error
        raise UnsupportedImageError(f"The upload is not an image that is read here; send {ACCEPTED}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(f"The image is too large; {_too_large(limits)}") from error
    except ImageError:
        raise
    except Exception as error:
        # Pillow's parsers raise many kinds (SyntaxError, struct.error, ValueError …) on damaged headers.
        raise DamagedImageError(DAMAGED_HEADER) from error


def _has_signature(data: bytes) -> bool:
    """Whether the bytes start as one of the formats does, whatever follows."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or data[:4] + data[8:12] == b"RIFFWEBP"


def _check_size(image: Image.Image, limits: ImageLimits) -> None:
    too_wide = max(image.size) > limits.max_side
    if too_wide or image.width * image.height > limits.max_pixels:
        raise ImageTooLargeError(f"The image is {image.width}×{image.height} pixels; {_too_large(limits)}")


def _too_large(limits: ImageLimits) -> str:
    return f"at most {limits.max_pixels:,} pixels and {limits.max_side} a side are read."


def _orientation(image: Image.Image, data: bytes) -> Any:
    if image.format == "PNG" and b"eXIf" not in data:
        return 1  # to look for EXIF data behind the pixels, Pillow would decode them
    try:
        return image.getexif().get(EXIF_ORIENTATION, 1)
    except (SyntaxError, struct.error):
        # EXIF data that cannot be read spoils no pixel.
        return 1


def _transparent_grey(image: Image.Image, data: bytes) -> int | None:
    """The grey value that a PNG's tRNS chunk makes transparent: OpenCV drops it for grey images."""
    value: Any = image.info.get("transparency")
    if image.mode not in {"1", "L", "I;16"} or not isinstance(value, int):
        return None
    bit_depth = data[24]
    # Pixels of 2 and 4 bits are spread over 0…255, the chunk's value is not.
    return value * 255 // (2**bit_depth - 1) if bit_depth in {2, 4} else value


def _check_structure(image: CheckedImage) -> None:
    """Refuse small files that would cost OpenCV gigabytes or minutes."""
    if image.format == "PNG" and not _chunks_fit(image.data):
        raise DamagedImageError("The PNG image is damaged: it ends within a chunk.")
    # Only a scan starts with these bytes: within a JPEG's coded data 0x00 or a restart follows 0xFF.
    if image.format == "JPEG" and image.data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise DamagedImageError(f"The JPEG image is damaged: it has more than {MAX_JPEG_SCANS} scans.")


def _chunks_fit(data: bytes) -> bool:
    """Whether a PNG holds all bytes of its chunks: OpenCV takes the memory for a chunk before it reads one."""
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if kind == b"IEND":
            return position <= len(data)
    return False


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
    opacity = alpha[..., np.newaxis].astype(np.uint16)
    laid = ((pixels[..., :3] * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
    visible_contrast = int(laid.max()) - int(laid.min())
    if visible_contrast < 16 and highest_alpha - lowest_alpha > visible_contrast:
        return cv2.bitwise_not(alpha)
    return laid


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (CIPA DC-008, tag 0x0112); 1 and unknown values leave the image as it is."""
    if orientation in {5, 6, 7, 8}:
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels
