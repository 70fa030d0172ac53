"""BMP (Windows and OS/2 bitmaps): 1 to 32 bits a pixel, uncompressed or run-length encoded.

Pillow decodes what is uncompressed: OpenCV mistakes OS/2 headers and takes unused bits for an alpha channel. OpenCV
decodes the run lengths, which Pillow does in Python, pixel by pixel.
"""

import struct

from app.inference.images.checked import CheckedImage
from app.inference.images.decoders import with_opencv, with_pillow
from app.inference.images.errors import UnsupportedImageError, cut_off, unreadable_header
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits

OS2_HEADER = 12
HEADER_LENGTHS = frozenset(struct.pack("<I", length) for length in (OS2_HEADER, 40, 52, 56, 64, 108, 124))
"""What the second header of each version begins with."""
UNCOMPRESSED, RUNS_OF_8, RUNS_OF_4, BIT_FIELDS = 0, 1, 2, 3
DEPTHS = {UNCOMPRESSED: (1, 4, 8, 16, 24, 32), RUNS_OF_8: (8,), RUNS_OF_4: (4,), BIT_FIELDS: (16, 24, 32)}
"""The bits a pixel that there are in each kind of compression."""

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
        raise cut_off("BMP") from error
    if width < 1 or not height:
        raise unreadable_header("BMP")
    if bits not in DEPTHS.get(compression, ()):
        raise UnsupportedImageError(
            "The BMP image is of a rare kind, neither uncompressed nor run-length encoded; save it as PNG."
        )
    height = abs(height)  # negative where the rows run downwards
    is_encoded = compression in {RUNS_OF_8, RUNS_OF_4}
    bytes_a_row = (width * bits + 31) // 32 * 4
    if not is_encoded and offset + bytes_a_row * height > len(data):
        raise cut_off("BMP")
    return CheckedImage("BMP", data, width, height, with_opencv if is_encoded else with_pillow)


BMP = Format(
    name="BMP",
    suffixes=(".bmp", ".dib"),
    media_type="image/bmp",
    kinds="1 to 32 bits a pixel, uncompressed or run-length encoded.",
    # Two letters alone would take any text that begins so for one; the second header begins with its length.
    recognises=lambda data: data.startswith(b"BM") and data[14:18] in HEADER_LENGTHS,
    inspect=_inspect,
)
