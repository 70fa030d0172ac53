"""GIF files built block by block, which no library would write."""

import struct
from collections.abc import Iterable

END = b";"


def gif(width: int, height: int, *parts: bytes, palette: bytes = bytes(range(6)), end: bytes = END) -> bytes:
    """Build a GIF of a size from parts; the palette is empty or has a power of two colours."""
    flags = 0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + palette + b"".join(parts) + end


def blocks(body: bytes) -> bytes:
    """Build a chain of sub-blocks."""
    pieces = (body[start : start + 255] for start in range(0, len(body), 255))
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"


def control(disposal: int = 0, transparent: int | None = None) -> bytes:
    """Build a graphic control extension."""
    flags = disposal << 2 | (transparent is not None)
    return b"\x21\xf9\4" + struct.pack("<BHB", flags, 10, transparent or 0) + b"\0"


def extension(label: int, body: bytes) -> bytes:
    """Build an extension of any type."""
    return bytes([0x21, label]) + blocks(body)


def frame(
    left: int, top: int, width: int, height: int, indices: Iterable[int], *, palette: bytes = b"", flags: int = 0
) -> bytes:
    """Build a frame from palette indices, row by row, with one code per pixel."""
    return image(left, top, width, height, uncompressed(indices), palette=palette, flags=flags)


def image(
    left: int, top: int, width: int, height: int, codes: bytes, *, palette: bytes = b"", flags: int = 0, bits: int = 7
) -> bytes:
    """Build a frame from compressed pixels."""
    if palette:
        flags |= 0x80 | (len(palette) // 3).bit_length() - 2
    return b"," + struct.pack("<HHHHB", left, top, width, height, flags) + palette + bytes([bits]) + blocks(codes)


def uncompressed(indices: Iterable[int]) -> bytes:
    """Encode indices below 128 as 8-bit codes, clearing the table before it grows."""
    codes = bytearray()
    for number, index in enumerate(indices):
        if number % 100 == 0:
            codes.append(128)
        codes.append(index)
    return bytes([*codes, 129])


def repeated(pixels: int) -> bytes:
    """Encode pixels of index 0 with as few codes as possible: each is one pixel longer than the last."""
    bits, width, code, done, free = "", 8, 0, 0, 130
    codes = [128, 0]
    done, length = 1, 2
    while done < pixels and free < 4096:
        codes.append(free)
        done, length, free = done + length, length + 1, free + 1
    codes += [4095] * (-(-(pixels - done) // (length - 1)) if done < pixels else 0)
    free = 129
    for number, code in enumerate(codes):
        bits_now = width
        bits += format(code, f"0{bits_now}b")[::-1]
        if number > 0:
            free = min(free + 1, 4096)
            if free == 1 << width and width < 12:
                width += 1
    bits += format(129, f"0{width}b")[::-1]
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[start : start + 8][::-1], 2) for start in range(0, len(bits), 8))
