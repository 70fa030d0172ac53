"""JPEG (ITU-T T.81): baseline and progressive, grey, colour and CMYK.

The decoder receives only the segments of the image: large or repeated metadata would cost it seconds, and a log line
for each segment.
"""

import re
import struct
from collections.abc import Iterator

from app.inference.images.checked import CheckedImage
from app.inference.images.decoders import with_opencv
from app.inference.images.errors import UnsupportedImageError, damaged, truncated, unreadable_header
from app.inference.images.exif import orientation_of
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits

SIGNATURE = b"\xff\xd8\xff"
MAX_SEGMENTS = 1000
"""Maximum before the first scan."""
MAX_TABLE_BYTES = 16_384
"""Maximum before the first scan; four tables of each kind take 3 kB."""
MAX_SCANS = 50
"""Each scan visits every pixel; encoders write about ten."""

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length
_RARE = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}  # neither baseline nor progressive
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_FRAME = struct.Struct(">4xBHHB")  # bits a sample, height, width, components
_SCAN = 0xDA
_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})


def _inspect(data: bytes, _: ImageLimits) -> CheckedImage:
    picture, exif, frame = picture_of(data)
    width, height = _size_of(frame)
    return CheckedImage("JPEG", picture, width, height, with_opencv, orientation_of(exif))


JPEG = Format(
    name="JPEG",
    suffixes=(".jpg", ".jpeg"),
    media_type="image/jpeg",
    kinds=f"Baseline and progressive, at most {MAX_SCANS} scans; grey, colour, CMYK.",
    recognises=lambda data: data.startswith(SIGNATURE),
    inspect=_inspect,
)


def picture_of(data: bytes, max_segments: int = MAX_SEGMENTS) -> tuple[bytes, bytes, bytes]:
    """Return a JPEG reduced to the segments of the image, and its EXIF data and frame header, which may be empty.

    Raises:
        UnsupportedImageError: if it is neither baseline nor progressive.
        DamagedImageError: if it is truncated, has more tables or scans than an image needs, or more than
            `max_segments` before its first scan.
    """
    colour_spaces: dict[bytes, bytes] = {}  # these two determine the decoder's colour space
    tables: list[bytes] = []
    exif = frame = b""
    start = 0
    for marker, start, end in _segments(data, max_segments):
        body = data[start + 4 : end]
        if marker in _RARE:
            raise UnsupportedImageError(
                "The JPEG image is neither baseline nor progressive; save it as one of them, or as PNG."
            )
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            frame = frame or data[start:end]
        if marker not in _METADATA:
            tables.append(data[start:end])
        elif body[:5] in {b"JFIF\0", b"Adobe"}:
            colour_spaces.setdefault(body[:5], data[start:end])
        elif body.startswith(b"Exif\0\0"):
            exif = exif or body
    if sum(map(len, tables)) > MAX_TABLE_BYTES:
        raise damaged("JPEG", f"its tables take more than {MAX_TABLE_BYTES:,} bytes")
    # Only a scan starts with these bytes: in coded data, 0x00 or a restart marker follows 0xFF.
    if data.count(b"\xff\xda", start) > MAX_SCANS:
        raise damaged("JPEG", f"it has more than {MAX_SCANS} scans")
    return b"".join([SIGNATURE[:2], *colour_spaces.values(), *tables, data[start:]]), exif, frame


def _size_of(frame: bytes) -> tuple[int, int]:
    """Return the width and height in the frame header (B.2.2); Pillow takes longer than all checks."""
    try:
        bits, height, width, components = _FRAME.unpack_from(frame)
    except struct.error:
        bits = height = width = components = 0
    # A height of 0 means that it follows the first scan (B.2.5), which the decoders do not support.
    if bits != 8 or not (width and height and components):
        raise unreadable_header("JPEG")
    return width, height


def _segments(data: bytes, max_segments: int) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment up to the first scan."""
    end = 2
    for _ in range(max_segments):
        found = _MARKER.search(data, end)
        if found is None:
            raise truncated("JPEG")
        start, end = found.span()
        marker = data[start + 1]
        if marker in _BARE:
            continue
        end += int.from_bytes(data[end : end + 2])
        if end > len(data):
            raise truncated("JPEG")
        yield marker, start, end
        if marker == _SCAN:
            return
    raise damaged("JPEG", f"it has more than {max_segments:,} segments before its pixels")
