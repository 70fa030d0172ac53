"""TIFF files built tag by tag, which no library would write."""

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate

LETTERS = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 12: "d"}
Tag = tuple[int, Sequence[float]]
"""Type and values of a tag."""


def tiff(tags: Mapping[int, Tag | Sequence[int]], pieces: Sequence[bytes] = (), order: str = "<") -> bytes:
    """Build a TIFF of one page from strips, or tiles if it has tag 322; numbers are LONGs."""
    in_tiles = 322 in tags
    *starts, start = accumulate(map(len, pieces), initial=8)
    places = {324 if in_tiles else 273: (4, starts), 325 if in_tiles else 279: (4, [len(piece) for piece in pieces])}
    body = b"".join(pieces)
    entries, far = b"", b""
    for number, tag in sorted((places | dict(tags)).items()):
        kind, values = tag if isinstance(tag, tuple) else (4, tag)
        packed = struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values)
        if len(packed) > 4:
            packed, far = struct.pack(order + "I", start + len(far)), far + packed
        entries += struct.pack(order + "HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack(order + "H", len(entries) // 12) + entries + bytes(4)
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, start + len(far)) + body + far + directory


def page(
    width: int, height: int, *, bits: int = 8, samples: int = 1, photometric: int = 1, compression: int = 1
) -> dict[int, Tag | Sequence[int]]:
    """Return the tags of every page."""
    return {
        256: [width],
        257: [height],
        258: (3, [bits] * samples),
        259: (3, [compression]),
        262: (3, [photometric]),
        277: (3, [samples]),
    }
