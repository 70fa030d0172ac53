"""Reading and writing of the directory of a TIFF's first page (TIFF 6.0, section 2), with the tags of the image."""

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate

from app.inference.images.errors import damaged, truncated

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES = 256, 257, 258, 259, 262, 266, 277
STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
ORIENTATION, PLANES, PREDICTOR, PALETTE, EXTRA_SAMPLES, SAMPLE_FORMAT = 274, 284, 317, 320, 338, 339
JPEG_TABLES, SUBSAMPLING = 347, 530
KNOWN = frozenset(
    {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES}
    | {TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, ORIENTATION, PLANES, PREDICTOR, PALETTE, EXTRA_SAMPLES}
    | {SAMPLE_FORMAT, JPEG_TABLES, SUBSAMPLING}
)
MAX_ENTRIES = 1000
MAX_VALUES = 20_000
"""Maximum values of a tag: more than one strip for each row of the tallest image, in two planes."""

BYTE, SHORT, LONG, BYTES = 1, 3, 4, 7
Tags = dict[int, tuple[int, ...]]
_LETTERS = {BYTE: "B", SHORT: "H", LONG: "I", BYTES: "B"}


def byte_order(data: bytes) -> str:
    """Return the byte order of a TIFF, in the notation of `struct`."""
    return ">" if data.startswith(b"MM") else "<"


def read_tags(data: bytes) -> Tags:
    """Return the values of the known tags of the first page; of repeated tags, the first.

    Raises:
        DamagedImageError: if they lie beyond the end, or are too many.
    """
    order = byte_order(data)
    tags: Tags = {}
    try:
        (directory,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, directory)
        if count > MAX_ENTRIES:
            raise damaged("TIFF", f"it has more than {MAX_ENTRIES:,} tags")
        for place in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", data, place)
            if tag in KNOWN and kind in _LETTERS and tag not in tags:
                tags[tag] = _read_values(data, order, kind, values, place + 8)
    except struct.error as error:
        raise truncated("TIFF") from error
    return tags


def _read_values(data: bytes, order: str, kind: int, count: int, place: int) -> tuple[int, ...]:
    if count > MAX_VALUES:
        raise damaged("TIFF", f"a tag has more than {MAX_VALUES:,} values")
    form = f"{order}{count}{_LETTERS[kind]}"
    if struct.calcsize(form) > 4:
        (place,) = struct.unpack_from(order + "I", data, place)
    return struct.unpack_from(form, data, place)


def write_tiff(order: str, tags: Mapping[int, Sequence[int]], pieces: Sequence[bytes]) -> bytes:
    """Return a TIFF of one page.

    Args:
        order: byte order, in the notation of `struct`.
        tags: values of all tags except offsets and lengths of the pieces.
        pieces: tiles if `TILE_WIDTH` is among the tags, otherwise strips.
    """
    offset_tag, bytes_tag = (TILE_OFFSETS, TILE_BYTES) if TILE_WIDTH in tags else (STRIP_OFFSETS, STRIP_BYTES)
    starts = list(accumulate(map(len, pieces), initial=8))
    values = dict(tags) | {offset_tag: starts[:-1], bytes_tag: [len(piece) for piece in pieces]}
    place = starts[-1] + starts[-1] % 2
    long_values = b""  # values that do not fit into an entry
    entries = b""
    for tag, numbers in sorted(values.items()):
        kind = BYTES if tag == JPEG_TABLES else SHORT if max(numbers) < 1 << 16 else LONG
        packed = struct.pack(f"{order}{len(numbers)}{_LETTERS[kind]}", *numbers)
        entry = packed.ljust(4, b"\0")
        if len(packed) > 4:
            entry = struct.pack(order + "I", place + len(long_values))
            long_values += packed + bytes(len(packed) % 2)
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + entry
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, place + len(long_values))
    directory = struct.pack(order + "H", len(values)) + entries + bytes(4)
    return b"".join([header, *pieces, bytes(starts[-1] % 2), long_values, directory])
