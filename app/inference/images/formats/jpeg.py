"""JPEG (ITU-T T.81): baseline and progressive, grey, colour and CMYK.

The decoder is given the segments that make the picture and no others: metadata, if large or repeated, would cost it
seconds, and a line in the log for each piece.
"""

import re
from collections.abc import Iterator

from app.inference.images.checked import CheckedImage
from app.inference.images.decoders import read_size, with_opencv
from app.inference.images.errors import UnsupportedImageError, cut_off, damaged
from app.inference.images.exif import orientation_of
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits

SIGNATURE = b"\xff\xd8\xff"
MAX_SEGMENTS = 1000
"""Before the first scan."""
MAX_TABLE_BYTES = 16_384
"""Before the first scan; four tables of each kind take 3 kB."""
MAX_SCANS = 50
"""Each visits every pixel; encoders make about ten."""

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers that no length follows
_RARE = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}  # frames neither baseline nor progressive
_SCAN = 0xDA
_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})


def _inspect(data: bytes, limits: ImageLimits) -> CheckedImage:
    picture, exif = picture_of(data)
    width, height = read_size(picture, "JPEG", limits)
    return CheckedImage("JPEG", picture, width, height, with_opencv, orientation_of(exif))


JPEG = Format(
    name="JPEG",
    suffixes=(".jpg", ".jpeg"),
    media_type="image/jpeg",
    kinds=f"Baseline and progressive, at most {MAX_SCANS} scans; grey, colour, CMYK.",
    recognises=lambda data: data.startswith(SIGNATURE),
    inspect=_inspect,
)


def picture_of(data: bytes, max_segments: int = MAX_SEGMENTS) -> tuple[bytes, bytes]:
    """Return a JPEG of the segments that make the picture, and the EXIF data, empty if there are none.

    Args:
        data: the file.
        max_segments: how many it may have before the first scan.

    Raises:
        UnsupportedImageError: neither baseline nor progressive.
        DamagedImageError: it breaks off, or has more tables or scans than a picture needs.
    """
    colour_spaces: dict[bytes, bytes] = {}  # what the decoder takes the colours for depends on these two
    tables: list[bytes] = []
    exif = b""
    start = 0
    for marker, start, end in _segments(data, max_segments):
        body = data[start + 4 : end]
        if marker in _RARE:
            raise UnsupportedImageError(
                "The JPEG image is neither baseline nor progressive; save it again as one of them, or as PNG."
            )
        if marker == _SCAN:
            break
        if marker not in _METADATA:
            tables.append(data[start:end])
        elif body[:5] in {b"JFIF\0", b"Adobe"}:
            colour_spaces.setdefault(body[:5], data[start:end])
        elif body.startswith(b"Exif\0\0"):
            exif = exif or body
    if sum(map(len, tables)) > MAX_TABLE_BYTES:
        raise damaged("JPEG", f"its tables take more than {MAX_TABLE_BYTES:,} bytes")
    # Only a scan starts with these bytes: within a JPEG's coded data 0x00 or a restart follows 0xFF.
    if data.count(b"\xff\xda", start) > MAX_SCANS:
        raise damaged("JPEG", f"it has more than {MAX_SCANS} scans")
    return b"".join([SIGNATURE[:2], *colour_spaces.values(), *tables, data[start:]]), exif


def _segments(data: bytes, max_segments: int) -> Iterator[tuple[int, int, int]]:
    """Yield the segments up to the first scan: the marker, and where marker and segment start and end."""
    end = 2
    for _ in range(max_segments):
        found = _MARKER.search(data, end)
        if found is None:
            raise cut_off("JPEG")
        start, end = found.span()
        marker = data[start + 1]
        if marker in _BARE:
            continue
        end += int.from_bytes(data[end : end + 2])
        if end > len(data):
            raise cut_off("JPEG")
        yield marker, start, end
        if marker == _SCAN:
            return
    raise damaged("JPEG", f"it has more than {max_segments:,} segments before its pixels")
