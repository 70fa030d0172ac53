"""WebP (RFC 9649): lossy and lossless still pictures, with or without transparency."""

import math
from collections.abc import Iterator

from app.inference.images.checked import CheckedImage
from app.inference.images.decoders import read_size, with_opencv
from app.inference.images.errors import ImageTooLargeError, UnsupportedImageError, cut_off, damaged
from app.inference.images.exif import orientation_of
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits

MAX_CHUNKS = 1000
MAX_CODES, QUICK_CODES = 17_000, 1000
"""Sets of prefix codes: each costs the decoder 6 kB and 6 µs."""
CODE_BITS, CODE_SIDE = 20, 4
"""A lossless WebP has a set of prefix codes for so many bits at least, and for a square of so many pixels a side."""

_ALPHA_CODING = 0x03


def _inspect(data: bytes, limits: ImageLimits) -> CheckedImage:
    exif, lossless_bytes = _read_chunks(data)
    width, height = read_size(data, "WebP", limits)
    codes = _count_codes(lossless_bytes, width, height) if lossless_bytes else 0
    return CheckedImage("WebP", data, width, height, with_opencv, orientation_of(exif), codes <= QUICK_CODES)


WEBP = Format(
    name="WebP",
    suffixes=(".webp",),
    media_type="image/webp",
    kinds=f"Still pictures; lossless ones up to {MAX_CODES * CODE_SIDE**2:,} pixels "
    f"or {MAX_CODES * CODE_BITS // 8:,} bytes.",
    recognises=lambda data: data[:4] + data[8:12] == b"RIFFWEBP",
    inspect=_inspect,
)


def _read_chunks(data: bytes) -> tuple[bytes, int]:
    """Return the EXIF data, and how many bytes are in the lossless coding."""
    exif, lossless = b"", 0
    for kind, start, end in _chunks(data):
        if kind in {b"ANIM", b"ANMF"}:
            raise UnsupportedImageError("The WebP image is an animation; send one still frame of it, or a GIF.")
        if kind == b"EXIF":
            exif = exif or data[start + 8 : end]
        elif kind == b"VP8L" or (kind == b"ALPH" and end > start + 8 and data[start + 8] & _ALPHA_CODING):
            lossless += end - start
    return exif, lossless


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks: the kind, and where the whole chunk starts and ends."""
    end, end_of_file = 12, 8 + int.from_bytes(data[4:8], "little")
    for _ in range(MAX_CHUNKS):
        start = end + end % 2
        if start >= end_of_file:
            return
        kind = data[start : start + 4]
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        if end > len(data):
            raise cut_off("WebP")
        yield kind, start, end
    raise damaged("WebP", f"it has more than {MAX_CHUNKS:,} chunks")


def _count_codes(lossless_bytes: int, width: int, height: int) -> int:
    """Return how many sets of prefix codes there are at most."""
    squares = math.ceil(width / CODE_SIDE) * math.ceil(height / CODE_SIDE)
    codes = min(8 * lossless_bytes // CODE_BITS, squares)
    if codes > MAX_CODES:
        pixels, max_bytes = MAX_CODES * CODE_SIDE**2, MAX_CODES * CODE_BITS // 8
        raise ImageTooLargeError(
            f"The lossless WebP image is too large: of such, at most {pixels:,} pixels or {max_bytes:,} bytes are "
            "read; send it as PNG."
        )
    return codes
