"""Image files built piece by piece, which no library would write."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = (b"IEND", b"")
Chunk = tuple[bytes, bytes]


def png_of(chunks: Sequence[Chunk]) -> bytes:
    """Build a PNG from chunks of type and body."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def chunks_of(data: bytes) -> list[Chunk]:
    """Yield the chunks of a PNG."""
    chunks, position = [], len(SIGNATURE)
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


def png_header(width: int, height: int, depth: int = 8, colour_type: int = 2, *, interlaced: bool = False) -> Chunk:
    """Build the first chunk of a PNG."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)


def deflated_zeros(megabytes: int) -> bytes:
    """Build data that inflate to this number of megabytes, with a wrong checksum."""
    compressor = zlib.compressobj(9)
    start = compressor.compress(bytes(1_000_000)) + compressor.flush(zlib.Z_FULL_FLUSH)
    again = compressor.compress(bytes(1_000_000)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return start + again * (megabytes - 1) + compressor.flush()


def noisy_png(width: int, height: int, *, interlaced: bool) -> bytes:
    """Build the slowest kind of PNG: 16 bits, colour and alpha, each row predicted from the last."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    noise = np.random.default_rng(0).bytes(64)
    pixels = b""
    for left, top, across, down in passes if interlaced else [(0, 0, 1, 1)]:
        row = 8 * -(-(width - left) // across)
        pixels += (b"\4" + (noise * (row // 64 + 1))[:row]) * -(-(height - top) // down)
    header = png_header(width, height, 16, 6, interlaced=interlaced)
    return png_of([header, (b"IDAT", zlib.compress(pixels)), END])


def jpeg(mode: str = "L", size: tuple[int, int] = (32, 20), **options: Any) -> bytes:
    """Build a blank JPEG."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    """Build a segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """Build a square progressive JPEG: one scan with the means, and others that refine them."""
    blocks = (-(-side // 8)) ** 2
    frame = b"\x08" + struct.pack(">HH", side, side) + b"\x01\x01\x11\x00"
    only_zero, only_long_run = (bytes([table, 1, *bytes(15), symbol]) for table, symbol in ((0, 0), (0x10, 0xE0)))
    runs = "".join(
        "0" + format(max(0, min(blocks - start, 32767) - 16384), "014b") for start in range(0, blocks, 32767)
    )
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + b"\1" * 64),
            segment(0xC2, frame),
            segment(0xC4, only_zero),
            segment(0xDA, b"\1\1\0\0\0\1") + bytes(-(-blocks // 8)),
            segment(0xC4, only_long_run),
            (segment(0xDA, b"\1\1\0\1\x3f\x10") + _bits(runs)) * (scans - 1),
            b"\xff\xd9",
        ]
    )


def riff(*chunks: Chunk) -> bytes:
    """Build a WebP from chunks of type and body."""
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def canvas(width: int, height: int, flags: int = 0) -> Chunk:
    """Build the first chunk of an extended WebP (RFC 9649)."""
    sizes = b"".join((length - 1).to_bytes(3, "little") for length in (width, height))
    return b"VP8X", struct.pack("<I", flags) + sizes


def webp_of_codes(width: int, height: int) -> bytes:
    """Build a lossless WebP with a different prefix-code group for each square of 4×4 pixels, up to a limit."""
    squares = -(-width // 4) * -(-height // 4)
    sets = min(squares, 65536)
    eight_bits_each = "0" + "0001" + "000000100000000000000000000000000100" + "0" + "1" * 256
    one_value = "1000"
    number = np.arange(squares, dtype=np.uint32) % sets
    bits = np.unpackbits(np.stack([number & 255, number >> 8], axis=1).astype(np.uint8))
    text = [
        format(0x2F, "08b")[::-1],
        *(format(length - 1, "014b")[::-1] for length in (width, height)),
        "0000",  # no alpha, version 0
        "00",  # neither transforms nor a colour cache
        "1000",  # a group for each square, selected by a separate image
        "0",
        eight_bits_each + "0" * 24,
        eight_bits_each,
        one_value * 3,
        "".join(map(str, bits.tolist())),
        one_value * 5 * sets,
    ]
    return riff((b"VP8L", _bits("".join(text), little=True)))


def _bits(text: str, *, little: bool = False) -> bytes:
    digits = np.frombuffer(text.encode(), np.uint8) - ord("0")
    return np.packbits(digits, bitorder="little" if little else "big").tobytes()
