"""WebP (RFC 9649): lossy and lossless still images, with or without transparency."""

import math
from collections.abc import Iterator

from app.inference.images.checked import CheckedImage
from app.inference.images.decoders import read_size, with_opencv
from app.inference.images.errors import ImageTooLargeError, UnsupportedImageError, damaged, truncated
from app.inference.images.exif import orientation_of
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits

MAX_CHUNKS = 1000
MAX_CODE_GROUPS, QUICK_CODE_GROUPS = 17_000, 1000
"""Limits of prefix-code groups, each of which costs the decoder 6 kB and 6 µs."""
GROUP_BITS, GROUP_SIDE = 20, 4
"""Minimum bits of a prefix-code group in a lossless WebP, and minimum side in pixels of the square it applies to."""

_ALPHA_CODING = 0x03


def _inspect(data: bytes, limits: ImageLimits) -> CheckedImage:
    exif, lossless_bytes = _read_chunks(data)
    width, height = read_size(data, "WebP", limits)
    groups = _max_code_groups(lossless_bytes, width, height) if lossless_bytes else 0
    return CheckedImage("WebP", data, width, height, with_opencv, orientation_of(exif), groups <= QUICK_CODE_GROUPS)


WEBP = Format(
    name="WebP",
    suffixes=(".webp",),
    media_type="image/webp",
    kinds=f"Still images; lossless ones up to {MAX_CODE_GROUPS * GROUP_SIDE**2:,} pixels "
    f"or {MAX_CODE_GROUPS * GROUP_BITS // 8:,} bytes.",
    recognises=lambda data: data[:4] + data[8:12] == b"RIFFWEBP",
    inspect=_inspect,
)


def _read_chunks(data: bytes) -> tuple[bytes, int]:
    """Return the EXIF data, and the number of bytes in lossless coding."""
    exif, lossless = b"", 0
    for kind, start, end in _chunks(data):
        if kind in {b"ANIM", b"ANMF"}:
            raise UnsupportedImageError("The WebP image is an animation; send one of its frames, or a GIF.")
        if kind == b"EXIF":
            exif = exif or data[start + 8 : end]
        elif kind == b"VP8L" or (kind == b"ALPH" and end > start + 8 and data[start + 8] & _ALPHA_CODING):
            lossless += end - start
    return exif, lossless


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, start and end of each chunk."""
    end, end_of_file = 12, 8 + int.from_bytes(data[4:8], "little")
    for _ in range(MAX_CHUNKS):
        start = end + end % 2
        if start >= end_of_file:
            return
        kind = data[start : start + 4]
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        if end > len(data):
            raise truncated("WebP")
        yield kind, start, end
    raise damaged("WebP", f"it has more than {MAX_CHUNKS:,} chunks")


def _max_code_groups(lossless_bytes: int, width: int, height: int) -> int:
    """Return an upper bound of the number of prefix-code groups."""
    squares = math.ceil(width / GROUP_SIDE) * math.ceil(height / GROUP_SIDE)
    groups = min(8 * lossless_bytes // GROUP_BITS, squares)
    if groups > MAX_CODE_GROUPS:
        pixels, max_bytes = MAX_CODE_GROUPS * GROUP_SIDE**2, MAX_CODE_GROUPS * GROUP_BITS // 8
        raise ImageTooLargeError(
            f"The lossless WebP image is too large: at most {pixels:,} pixels or {max_bytes:,} bytes; send it as PNG."
        )
    return groups
