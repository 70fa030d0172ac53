"""Orientation in EXIF data (CIPA DC-008)."""

import struct

UPRIGHT = 1
TRANSPOSED = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""
_MARK = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3
_MAX_ENTRIES = 256


def orientation_of(exif: bytes) -> int:
    """Return the orientation in the first directory, 1 to 8 in valid data; 1, upright, if it cannot be read."""
    exif = exif.removeprefix(_MARK)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(min(count, _MAX_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, directory + 2 + 12 * entry)
            if tag == _ORIENTATION and kind == _SHORT:
                return int(value)
    except struct.error:
        pass  # the pixels are unaffected
    return UPRIGHT
