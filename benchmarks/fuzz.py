"""Fuzzing of the image decoders: each damaged file must be read or refused quickly.

    python -m benchmarks.fuzz [--count N] [--seed N] [--first N] [--format NAME]

The files cover all supported formats and variants. Changes flip bits, overwrite, remove and insert bytes, falsify
lengths, and swap, repeat, remove or borrow parts. Seed and number determine the file, so `--first NUMBER --count 1`
reproduces a finding.
"""

import argparse
import io
import os
import random
import re
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from app.inference.images import ImageError, ImageLimits, check_image

LIMITS = ImageLimits(max_pixels=40_000)
WIDTH, HEIGHT = 48, 20
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg")


class Result(NamedTuple):
    """The result of a run.

    Attributes:
        decoded, refused: numbers of files.
        slowest: maximum processor time of a file, in seconds.
        slowest_number: the number of that file.
    """

    decoded: int
    refused: int
    slowest: float
    slowest_number: int


def main() -> None:
    """Try the requested number of files; fail at the first that is neither read nor refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes")
    parser.add_argument("--first", type=int, default=0, help="the number of the first file")
    parser.add_argument("--format", default="", help="only this format, such as PNG")
    options = parser.parse_args()
    # libpng and libjpeg print a line for most files.
    said, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        result = fuzz(options.count, options.seed, options.first, options.format)
    finally:
        os.dup2(said, 2)
    print(f"{options.count:,} files: {result.decoded:,} decoded, {result.refused:,} refused;")
    print(f"the slowest, number {result.slowest_number}, took {1000 * result.slowest:.1f} ms")


def fuzz(count: int, seed: int, first: int = 0, file_format: str = "") -> Result:
    """Check and decode damaged files, of one format if given.

    Raises:
        RuntimeError: a file was neither decoded nor refused; the message has its number.
    """
    files = [data for name, data in good_files().items() if name.startswith(file_format)]
    decoded, slowest, slowest_number = 0, 0.0, first
    for number in range(first, first + count):
        data = broken_file(files, seed, number)
        begin = time.process_time()
        try:
            pixels = check_image(data, LIMITS).decode()
            if pixels.dtype != np.uint8 or not 0 < pixels.size <= 3 * LIMITS.max_pixels:
                raise TypeError(f"{pixels.dtype} {pixels.shape}")
            decoded += 1
        except ImageError:
            pass
        except Exception as error:
            raise RuntimeError(f"file {number} of seed {seed} was neither decoded nor refused") from error
        seconds = time.process_time() - begin
        if seconds > slowest:
            slowest, slowest_number = seconds, number
    return Result(decoded, count - decoded, slowest, slowest_number)


def good_files() -> dict[str, bytes]:
    """Return small files of every format, in all variants that Pillow writes."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [Image.fromarray(np.roll(noise, shift, axis=1)) for shift in (5, 9)]

    def file_of(file_format: str, mode: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(buffer, file_format, **options)
        return buffer.getvalue()

    return {
        **{f"PNG {mode}": file_of("PNG", mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "I;16")},
        "PNG P": file_of("PNG", "P", transparency=bytes(range(256))),
        "PNG with EXIF data": file_of("PNG", "RGB", exif=exif, icc_profile=bytes(300)),
        "PNG animation": file_of("PNG", "L", save_all=True, append_images=[Image.new("L", (WIDTH, HEIGHT))]),
        **{f"JPEG {mode}": file_of("JPEG", mode) for mode in ("L", "RGB", "CMYK")},
        "JPEG progressive": file_of("JPEG", "RGB", progressive=True),
        "JPEG with restarts": file_of("JPEG", "L", restart_marker_blocks=2, exif=exif),
        "WebP": file_of("WEBP", "RGB"),
        "WebP with alpha": file_of("WEBP", "RGBA", exif=exif),
        "WebP lossless": file_of("WEBP", "RGBA", lossless=True),
        "WebP animation": file_of("WEBP", "L", save_all=True, append_images=[Image.new("L", (WIDTH, HEIGHT))]),
        **{f"GIF {mode}": file_of("GIF", mode) for mode in ("1", "L", "P", "RGBA")},
        "GIF animated": file_of("GIF", "P", save_all=True, append_images=others, disposal=2, comment=b"comment"),
        "GIF without disposal": file_of("GIF", "RGBA", save_all=True, append_images=others, disposal=[1, 3, 2]),
        **{f"BMP {mode}": file_of("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")},
        "BMP of runs": run_length_bmp(),
        **{f"TIFF {mode}": file_of("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")},
        **{f"TIFF {name}": file_of("TIFF", "RGB", compression=name) for name in TIFF_COMPRESSIONS},
        **{f"TIFF {name}": file_of("TIFF", "1", compression=name) for name in ("group3", "group4")},
        "TIFF in tiles": file_of("TIFF", "RGB", tiffinfo={322: 32, 323: 16}, compression="tiff_lzw"),
        "TIFF in strips": file_of("TIFF", "L", strip_size=WIDTH * 4, compression="tiff_lzw"),
        "TIFF of pages": file_of("TIFF", "L", save_all=True, append_images=others),
    }


def run_length_bmp() -> bytes:
    """Return a BMP in run-length encoding, which Pillow does not write; each row has one colour."""
    rows = b"".join(bytes([WIDTH, row, 0, 0]) for row in range(HEIGHT)) + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(rows), 0, 0, 256, 0)
    palette = b"".join(bytes([grey, grey, 255 - grey, 0]) for grey in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


def broken_file(files: list[bytes], seed: int, number: int) -> bytes:
    """Return one of the files after one to three changes."""
    rng = random.Random(seed << 32 | number)  # noqa: S311
    data = rng.choice(files)
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(CHANGES)(rng, data, files)
    return data


def _turn_bits(rng: random.Random, data: bytes, _: list[bytes]) -> bytes:
    changed = bytearray(data)
    for _bit in range(rng.choice((1, 1, 2, 8)) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _stretch(rng, data)
    filler = rng.choice((b"\0", b"\xff", b"\x55", rng.randbytes(1)))
    return data[:start] + (rng.randbytes(end - start) if rng.random() < 0.5 else filler * (end - start)) + data[end:]


def _cut_off(rng: random.Random, data: bytes, _: list[bytes]) -> bytes:
    return data[: rng.randint(0, len(data))]


def _take_out(rng: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _stretch(rng, data)
    return data[:start] + data[end:]


def _put_in(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    start, end = _stretch(rng, rng.choice((data, rng.choice(files))))
    place = rng.randint(0, len(data))
    return data[:place] + data[start:end] * rng.choice((1, 1, 2, 50)) + data[place:]


def _splice(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    other = rng.choice(files)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _lie(rng: random.Random, data: bytes, _: list[bytes]) -> bytes:
    """Change a number of two or four bytes at the start of a part, where lengths and sizes are."""
    parts = list(_parts(data))
    start = rng.choice(parts)[0] + rng.choice((0, 2, 4, 5, 7, 8, 12, 16)) if parts else 0
    form = rng.choice((">I", "<I", ">H", "<H"))
    width = struct.calcsize(form)
    if start + width > len(data):
        return data
    (said,) = struct.unpack_from(form, data, start)
    most = 256**width - 1
    lie = rng.choice((0, 1, said - 1, said + 1, 2 * said, said + 256, most, most // 2, rng.randint(0, most)))
    return data[:start] + struct.pack(form, lie & most) + data[start + width :]


def _rearrange(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Swap, repeat, remove or borrow parts."""
    parts = [data[start:end] for start, end in _parts(data)]
    other = rng.choice(files)
    borrowed = [other[start:end] for start, end in _parts(other)]
    if not parts or not borrowed:
        return data
    first, second = rng.randrange(len(parts)), rng.randrange(len(parts))
    kind = rng.randrange(4)
    if kind == 0:
        parts[first], parts[second] = parts[second], parts[first]
    elif kind == 1:
        parts.insert(second, parts[first] * rng.choice((1, 3, 200)))
    elif kind == 2:
        del parts[first]
    else:
        parts.insert(first, rng.choice(borrowed))
    start, end = next(_parts(data))[0], list(_parts(data))[-1][1]
    return data[:start] + b"".join(parts) + data[end:]


def _change_within_checksum(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Change the body of a PNG chunk and update its checksum, so that the decoder reads it."""
    parts = list(_parts(data))
    if not data.startswith(PNG_SIGNATURE) or not parts:
        return _turn_bits(rng, data, files)
    start, end = rng.choice(parts)
    change = rng.choice((_turn_bits, _overwrite, _take_out))
    kind, body = data[start + 4 : start + 8], data[start + 8 : end - 4]
    try:  # inside the compressed data
        body = zlib.compress(change(rng, zlib.decompress(body), files), 1)
    except zlib.error:
        body = change(rng, body, files)
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:start] + chunk + data[end:]


CHANGES: tuple[Callable[[random.Random, bytes, list[bytes]], bytes], ...] = (
    _turn_bits,
    _overwrite,
    _cut_off,
    _take_out,
    _put_in,
    _splice,
    _lie,
    _rearrange,
    _change_within_checksum,
)


def _stretch(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 200)))


def _parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the parts of a file, as far as it is intact.

    Parts are chunks of a PNG or WebP, segments and scans of a JPEG, frames and extensions of a GIF, headers of a BMP,
    and entries of a TIFF directory.
    """
    if data.startswith(b"GIF8"):
        starts = [found.start() for found in re.finditer(rb"\x21[\xf9\xfe\xff]|\x2c(?=.\0)", data, re.DOTALL)]
        yield from pairwise([0, *starts, len(data)])
        return
    if data.startswith(b"BM"):
        yield from pairwise([0, 14, 28, 54, len(data)] if len(data) > 54 else [0, len(data)])
        return
    if data.startswith((b"II*\0", b"MM\0*")):
        yield from _entries(data)
        return
    if data.startswith(b"\xff\xd8"):
        starts = [found.start() for found in re.finditer(rb"\xff[\xc0-\xcf\xda-\xfe]", data)]
        yield from pairwise([*starts, len(data)])
        return
    is_png = data.startswith(PNG_SIGNATURE)
    position = len(PNG_SIGNATURE) if is_png else 12
    while position + 8 <= len(data):
        length = (
            struct.unpack_from(">I", data, position)[0] if is_png else struct.unpack_from("<I", data, position + 4)[0]
        )
        end = position + length + (12 if is_png else 8 + length % 2)
        if end > len(data):
            return
        yield position, end
        position = end


def _entries(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the entries of a TIFF's first directory."""
    order = "<" if data.startswith(b"II") else ">"
    if len(data) >= 8:
        (directory,) = struct.unpack_from(order + "I", data, 4)
        count = struct.unpack_from(order + "H", data, directory)[0] if directory + 2 <= len(data) else 0
        for start in range(directory + 2, directory + 2 + 12 * count, 12):
            if start + 12 <= len(data):
                yield start, start + 12


if __name__ == "__main__":
    main()
