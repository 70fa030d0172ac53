"""PNG (W3C, third edition): grey, palette and colour, 1 to 16 bits, with or without transparency.

The decoder receives only the chunks of the image: large, compressed or repeated metadata would cost it seconds, and a
log line for each chunk. The decoder verifies these chunks.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

import numpy as np

from app.inference.images.checked import SMALL_PIXELS, CheckedImage
from app.inference.images.decoders import with_opencv, with_png_crate
from app.inference.images.errors import UnsupportedImageError, damaged, truncated, unreadable_header
from app.inference.images.exif import orientation_of
from app.inference.images.formats.format import Format
from app.inference.images.limits import ImageLimits
from app.inference.images.pixels import DecodedPixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 10_000
"""More than one for each row of the tallest image."""
MAX_INFLATION = 1032
"""Maximum compression ratio of zlib."""
SPARE_INFLATION = 10_000_000
"""Excess bytes that are tolerated without a check: they cost little, and the check inflates all data."""
GREY = 0
PLAIN_CHANNELS = {GREY: 1, 2: 3, 6: 4}
"""Number of channels of each colour type without a palette."""
DEPTHS = {GREY: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Valid bits per channel of each colour type."""

_CHUNK = struct.Struct(">I4s")
_HEADER = struct.Struct(">I4sIIBB3sI")
_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


def _inspect(data: bytes, _: ImageLimits) -> CheckedImage:
    picture, exif, transparency = _picture_of(data)
    width, height, depth, colours = _read_header(picture)
    is_plain = depth == 8 and colours in PLAIN_CHANNELS and not transparency
    if is_plain and width * height <= SMALL_PIXELS:
        decoder = partial(_decode_plain, channels=PLAIN_CHANNELS[colours])
    else:
        transparent_grey = _transparent_grey(transparency, depth) if colours == GREY else None
        decoder = partial(_decode, transparent_grey=transparent_grey)
    return CheckedImage("PNG", picture, width, height, decoder, orientation_of(exif))


PNG = Format(
    name="PNG",
    suffixes=(".png",),
    media_type="image/png",
    kinds="Still images, 1 to 16 bits a channel.",
    recognises=lambda data: data.startswith(SIGNATURE),
    inspect=_inspect,
)


def _decode_plain(data: bytes, name: str, width: int, height: int, *, channels: int) -> DecodedPixels:
    pixels = with_png_crate(data, width, height, channels)
    return _decode(data, name, width, height) if pixels is None else pixels


def _decode(data: bytes, name: str, width: int, height: int, *, transparent_grey: int | None = None) -> DecodedPixels:
    # OpenCV would inflate everything, up to 1 GB from a file of 1 MB. Valid data have at most 8 bytes a pixel and, if
    # interlaced, less than two more for each row.
    max_bytes = 8 * width * height + 2 * height
    if len(data) * MAX_INFLATION > max_bytes + SPARE_INFLATION and _inflates_beyond(data, max_bytes):
        raise damaged("PNG", "it has more data than pixels")
    pixels = with_opencv(data, name, width, height)
    if transparent_grey is not None and pixels.ndim == 2:
        return _with_transparent_grey(pixels, transparent_grey)
    return pixels


def _picture_of(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a PNG reduced to the chunks of the image, and the contents of the chunks eXIf and tRNS or b""."""
    single = dict.fromkeys((b"IHDR", b"PLTE", b"tRNS"), b"")
    pixels: list[bytes] = []
    exif = b""
    for kind, start, end in _chunks(data):
        if kind == b"IDAT":
            pixels.append(data[start:end])
        elif kind == b"IHDR" and single[kind]:
            raise damaged("PNG", "it has two headers")
        elif kind in single:
            if not pixels:
                single[kind] = single[kind] or data[start:end]
        elif kind == b"eXIf":
            exif = exif or data[start + 8 : end - 4]
        elif kind == b"fdAT":
            raise UnsupportedImageError("The PNG image is an animation; send one of its frames, or a GIF.")
        elif kind[0] < ord("a") and kind != b"IEND":
            raise damaged("PNG", "it has an unknown critical chunk")
    return b"".join([SIGNATURE, *single.values(), *pixels, _END]), exif, single[b"tRNS"][8:-4]


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, start and end of each chunk."""
    end, kind = len(SIGNATURE), b""
    for _ in range(MAX_CHUNKS):
        start = end
        if start + 12 > len(data):
            raise truncated("PNG")
        length, kind = _CHUNK.unpack_from(data, start)
        end += 12 + length
        if end > len(data):
            raise truncated("PNG")
        yield kind, start, end
        if kind == b"IEND":
            return
    raise damaged("PNG", f"it has more than {MAX_CHUNKS:,} chunks")


def _read_header(png: bytes) -> tuple[int, int, int, int]:
    """Return width, height, depth and colour type in the first chunk (11.2.1); Pillow takes longer than all checks."""
    try:
        fields = _HEADER.unpack_from(png, len(SIGNATURE))
    except struct.error:
        fields = (0,) * 8
    length, kind, width, height, depth, colours, _, checksum = fields
    is_whole = length == 13 and kind == b"IHDR" and zlib.crc32(png[12:29]) == checksum
    if not (is_whole and width and height and depth in DEPTHS.get(colours, ())):
        raise unreadable_header("PNG")
    return width, height, depth, colours


def _inflates_beyond(png: bytes, max_bytes: int) -> bool:
    """Return whether the pixel data inflate to more than `max_bytes`, without inflating much more than that."""
    inflater, inflated = zlib.decompressobj(), 0
    for kind, start, end in _chunks(png):
        rest = png[start + 8 : end - 4] if kind == b"IDAT" else b""
        while rest and inflated <= max_bytes and not inflater.eof:
            try:
                inflated += len(inflater.decompress(rest, 1 << 20))
            except zlib.error:
                return False  # the decoder fails there, too
            rest = inflater.unconsumed_tail
    return inflated > max_bytes


def _transparent_grey(transparency: bytes, depth: int) -> int | None:
    """Return the grey value that tRNS makes transparent (11.3.1.1), which OpenCV ignores for grey images."""
    if len(transparency) != 2:
        return None
    value, maximum = int.from_bytes(transparency), 2**depth - 1
    # The decoder scales pixels of 1, 2 and 4 bits to 0…255, but the chunk's value is not scaled.
    return value if depth == 16 else (value & maximum) * 255 // maximum


def _with_transparent_grey(pixels: DecodedPixels, transparent: int) -> DecodedPixels:
    opaque = np.iinfo(pixels.dtype).max
    alpha = np.where(pixels == transparent, 0, opaque).astype(pixels.dtype)
    return np.dstack([pixels, pixels, pixels, alpha])
