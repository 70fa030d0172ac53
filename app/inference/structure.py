"""What of an upload the decoders are shown: the parts that make the picture, and no others.

Metadata of a PNG or JPEG, if large, compressed or repeated, would cost them seconds, and a line in the log for each
piece. Parts are told apart by the lengths they state; whether they are sound, the decoders find out.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from app.inference.image_errors import ACCEPTED, DamagedImageError, UnsupportedImageError

PNG_SIGNATURE, JPEG_SIGNATURE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MAX_PNG_CHUNKS = 10_000
"""More than one for each row of the highest picture."""
MAX_SEGMENTS = 1000
"""Of a JPEG before its first scan, and of a WebP."""
MAX_TABLE_BYTES = 16_384
"""Of a JPEG before its first scan; four tables of each kind take 3 kB."""
MAX_JPEG_SCANS = 50
"""Each visits every pixel; encoders make about ten."""
MAX_INFLATION = 1032
"""How many times their length compressed data inflate to at most (zlib)."""

_PNG_CHUNK = struct.Struct(">I4s")
_PNG_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers that no length follows
_JPEG_RARE = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}  # frames neither baseline nor progressive
_JPEG_SCAN = 0xDA
_JPEG_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})
_WEBP_ALPHA_CODING = 0x03


class Essentials(NamedTuple):
    """What makes the picture.

    Attributes:
        format: "PNG", "JPEG" or "WEBP".
        data: a file of those parts of the upload.
        exif: its EXIF data, which are not among them and not checked; empty if there are none.
        lossless: how many bytes of it are in WebP's lossless coding.
        transparency: the content of a PNG's tRNS chunk; empty if there is none.
    """

    format: str
    data: bytes
    exif: bytes
    lossless: int = 0
    transparency: bytes = b""


def essentials(data: bytes) -> Essentials:
    """Take an image file, told by its content, apart, and put together again what makes the picture.

    Raises:
        UnsupportedImageError: another format, an animation, or a rare kind of JPEG.
        DamagedImageError: it breaks off, or has more parts than a picture.
    """
    if data.startswith(PNG_SIGNATURE):
        return _png(data)
    if data.startswith(JPEG_SIGNATURE):
        return _jpeg(data)
    if data[:4] + data[8:12] == b"RIFFWEBP":
        return _webp(data)
    raise UnsupportedImageError(f"The upload is not an image that is read here; send {ACCEPTED}.")


def inflates_beyond(png: bytes, most: int) -> bool:
    """Whether the pixel data of a PNG inflate to more than so many bytes; not much more than them is inflated."""
    inflater, inflated = zlib.decompressobj(), 0
    for kind, start, end in _png_chunks(png):
        rest = png[start + 8 : end - 4] if kind == b"IDAT" else b""
        while rest and inflated <= most and not inflater.eof:
            try:
                inflated += len(inflater.decompress(rest, 1 << 20))
            except zlib.error:
                return False  # the decoder will not get further either
            rest = inflater.unconsumed_tail
    return inflated > most


def _png(data: bytes) -> Essentials:
    parts = dict.fromkeys((b"IHDR", b"PLTE", b"tRNS"), b"")
    pixels: list[bytes] = []
    exif = b""
    for kind, start, end in _png_chunks(data):
        if kind == b"IDAT":
            pixels.append(data[start:end])
        elif kind == b"IHDR" and parts[kind]:
            raise _damaged("PNG", "it has two headers")
        elif kind in parts:
            if not pixels:
                parts[kind] = parts[kind] or data[start:end]
        elif kind == b"eXIf":
            exif = exif or data[start + 8 : end - 4]
        elif kind == b"fdAT":
            raise _animation()
        elif kind[0] < ord("a") and kind != b"IEND":
            raise _damaged("PNG", "it has a chunk of a kind that does not exist")  # and that must not be ignored
    picture = b"".join([PNG_SIGNATURE, *parts.values(), *pixels, _PNG_END])
    return Essentials("PNG", picture, exif, transparency=parts[b"tRNS"][8:-4])


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a PNG: the kind, and where the whole chunk starts and ends."""
    end, kind = len(PNG_SIGNATURE), b""
    for _ in range(MAX_PNG_CHUNKS):
        start = end
        if start + 12 > len(data):
            raise _cut_off("PNG")
        length, kind = _PNG_CHUNK.unpack_from(data, start)
        end += 12 + length
        if end > len(data):
            raise _cut_off("PNG")
        yield kind, start, end
        if kind == b"IEND":
            return
    raise _damaged("PNG", f"it has more than {MAX_PNG_CHUNKS:,} chunks")


def _jpeg(data: bytes) -> Essentials:
    colour_spaces: dict[bytes, bytes] = {}  # what the decoder takes the colours for depends on these two
    tables: list[bytes] = []
    exif = b""
    for marker, start, end in _jpeg_segments(data):
        body = data[start + 4 : end]
        if marker in _JPEG_RARE:
            raise UnsupportedImageError(f"The JPEG image is neither baseline nor progressive; send {ACCEPTED}.")
        if marker == _JPEG_SCAN:
            break
        if marker not in _JPEG_METADATA:
            tables.append(data[start:end])
        elif body[:5] in {b"JFIF\0", b"Adobe"}:
            colour_spaces.setdefault(body[:5], data[start:end])
        elif body.startswith(b"Exif\0\0"):
            exif = exif or body
    if sum(map(len, tables)) > MAX_TABLE_BYTES:
        raise _damaged("JPEG", f"its tables take more than {MAX_TABLE_BYTES:,} bytes")
    # Only a scan starts with these bytes: within a JPEG's coded data 0x00 or a restart follows 0xFF.
    if data.count(b"\xff\xda", start) > MAX_JPEG_SCANS:
        raise _damaged("JPEG", f"it has more than {MAX_JPEG_SCANS} scans")
    return Essentials("JPEG", b"".join([JPEG_SIGNATURE[:2], *colour_spaces.values(), *tables, data[start:]]), exif)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments of a JPEG up to its first scan: the marker, and where marker and segment start and end."""
    end = 2
    for _ in range(MAX_SEGMENTS):
        found = _JPEG_MARKER.search(data, end)
        if found is None:
            raise _cut_off("JPEG")
        start, end = found.span()
        marker = data[start + 1]
        if marker in _JPEG_BARE:
            continue
        end += int.from_bytes(data[end : end + 2])
        if end > len(data):
            raise _cut_off("JPEG")
        yield marker, start, end
        if marker == _JPEG_SCAN:
            return
    raise _damaged("JPEG", f"it has more than {MAX_SEGMENTS:,} segments before its pixels")


def _webp(data: bytes) -> Essentials:
    exif, lossless = b"", 0
    for kind, start, end in _webp_chunks(data):
        if kind in {b"ANIM", b"ANMF"}:
            raise _animation()
        if kind == b"EXIF":
            exif = exif or data[start + 8 : end]
        elif kind == b"VP8L" or (kind == b"ALPH" and end > start + 8 and data[start + 8] & _WEBP_ALPHA_CODING):
            lossless += end - start
    return Essentials("WEBP", data, exif, lossless)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a WebP: the kind, and where the whole chunk starts and ends."""
    end, end_of_file = 12, 8 + int.from_bytes(data[4:8], "little")
    for _ in range(MAX_SEGMENTS):
        start = end + end % 2
        if start >= end_of_file:
            return
        kind = data[start : start + 4]
        end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        if end > len(data):
            raise _cut_off("WEBP")
        yield kind, start, end
    raise _damaged("WEBP", f"it has more than {MAX_SEGMENTS:,} chunks")


def _animation() -> UnsupportedImageError:
    return UnsupportedImageError(f"The image is an animation; send {ACCEPTED}.")


def _cut_off(file_format: str) -> DamagedImageError:
    return _damaged(file_format, "it is cut off")


def _damaged(file_format: str, what: str) -> DamagedImageError:
    return DamagedImageError(f"The {file_format} image is damaged: {what}.")
