"""BMP files built field by field, which no library would write."""

import struct

import numpy as np
from numpy.typing import NDArray


def bmp(
    width: int,
    height: int,
    bits: int,
    pixels: bytes,
    *,
    palette: bytes = b"",
    compression: int = 0,
    masks: tuple[int, ...] = (),
    header: int = 40,
) -> bytes:
    """Build a BMP; a negative height means top-down rows, a header of 12 bytes means OS/2."""
    if header == 12:
        fields = struct.pack("<IHHHH", header, width, height, 1, bits)
    else:
        colours = len(palette) // 4
        fields = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(pixels), 0, 0, colours, 0)
        fields += struct.pack(f"<{len(masks)}I", *masks).ljust(header - 40, b"\0")
    start = 14 + len(fields) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + fields + palette + pixels


def rows_of(packed: NDArray[np.uint8]) -> bytes:
    """Return the rows (rows, bytes) in file order: from last to first, each padded to four bytes."""
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))[::-1].tobytes()
