"""BMP (Windows and OS/2 bitmaps): 1 to 32 bits a pixel, uncompressed or run-length encoded.

Pillow decodes uncompressed files: OpenCV misreads OS/2 headers and takes unused bits for an alpha channel. OpenCV
decodes run-length encoded files, which Pillow does in Python, pixel by pixel.
"""

import struct

from app.inference.images.checked import CheckedImage
from app.inference.images.decoders import with_opencv, with_pillow
from app.inference.images.errors import UnsupportedImageError, truncated, unreadable_header
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits

OS2_HEADER = 12
HEADER_LENGTHS = frozenset(struct.pack("<I", length) for length in (OS2_HEADER, 40, 52, 56, 64, 108, 124))
"""First bytes of each version of the second header: its length."""
UNCOMPRESSED, RUNS_OF_8, RUNS_OF_4, BIT_FIELDS = 0, 1, 2, 3
DEPTHS = {UNCOMPRESSED: (1, 4, 8, 16, 24, 32), RUNS_OF_8: (8,), RUNS_OF_4: (4,), BIT_FIELDS: (16, 24, 32)}
"""Valid bits per pixel of each compression."""

_FILE_HEADER = struct.Struct("<10xII")
_OS2 = struct.Struct("<HH2xH")
_WINDOWS = struct.Struct("<ii2xHI")


def _inspect(data: bytes, _: ImageLimits) -> CheckedImage:
    try:
        offset, header = _FILE_HEADER.unpack_from(data)
        if header == OS2_HEADER:
            width, height, bits = _OS2.unpack_from(data, _FILE_HEADER.size)
            compression = UNCOMPRESSED
        else:
            width, height, bits, compression = _WINDOWS.unpack_from(data, _FILE_HEADER.size)
    except struct.error as error:
        raise truncated("BMP") from error
    if width < 1 or not height:
        raise unreadable_header("BMP")
    if bits not in DEPTHS.get(compression, ()):
        raise UnsupportedImageError("The BMP image is neither uncompressed nor run-length encoded; save it as PNG.")
    height = abs(height)  # negative if the top row comes first
    is_encoded = compression in {RUNS_OF_8, RUNS_OF_4}
    bytes_a_row = (width * bits + 31) // 32 * 4
    if not is_encoded and offset + bytes_a_row * height > len(data):
        raise truncated("BMP")
    return CheckedImage("BMP", data, width, height, with_opencv if is_encoded else with_pillow)


BMP = Format(
    name="BMP",
    suffixes=(".bmp", ".dib"),
    media_type="image/bmp",
    kinds="1 to 32 bits a pixel, uncompressed or run-length encoded.",
    # Two letters alone would match texts, so the length of the second header is checked, too.
    recognises=lambda data: data.startswith(b"BM") and data[14:18] in HEADER_LENGTHS,
    inspect=_inspect,
)
