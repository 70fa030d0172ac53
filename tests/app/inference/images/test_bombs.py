"""Small files that would cost seconds or gigabytes: refused, or decoded cheaply."""

import contextlib
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.inference.images import (
    DamagedImageError,
    ImageLimits,
    ImageTooLargeError,
    UnsupportedImageError,
    check_image,
    decode_image,
)
from app.inference.images.formats.jpeg import MAX_SCANS as MAX_JPEG_SCANS
from app.inference.images.formats.jpeg import MAX_SEGMENTS
from tests.app.inference.images.bmp_files import bmp
from tests.app.inference.images.costs import at_most
from tests.app.inference.images.gif_files import control, gif, image, repeated
from tests.app.inference.images.image_files import (
    END,
    Chunk,
    canvas,
    chunks_of,
    deflated_zeros,
    jpeg,
    jpeg_of_scans,
    noisy_png,
    png_header,
    png_of,
    riff,
    segment,
    webp_of_codes,
)
from tests.app.inference.images.tiff_files import page, tiff

LARGEST_UPLOAD = 1_048_576
GROWTH_MEGABYTES = 200
HEADER, DEEP = png_header(200, 50), png_header(200, 50, 16)
PIXELS = (b"IDAT", zlib.compress(bytes(601 * 50)))
LIMITS = ImageLimits()
GIGABYTE = deflated_zeros(1000)
FRAME = image(0, 0, 2000, 2000, repeated(4_000_000))


def png(before: list[Chunk], after: list[Chunk]) -> bytes:
    return png_of([HEADER, *before, PIXELS, *after, END])


def jpeg_with(segments: bytes, data: bytes = jpeg()) -> bytes:
    return data[:2] + segments + data[2:]


def many(text: tuple[bytes, bytes]) -> list[Chunk]:
    """Chunks that inflate to a megabyte each."""
    return [(text[0], text[1] + deflated_zeros(1))] * 900


TEXTS = {"zTXt": (b"zTXt", b"a\0\0"), "iTXt": (b"iTXt", b"a\0\1\0\0\0"), "iCCP": (b"iCCP", b"a\0\0")}
REFUSED = {
    "pixels of a gigabyte": (png_of([DEEP, (b"IDAT", GIGABYTE), END]), DamagedImageError, "more data than pixels"),
    "pixels of a gigabyte in pieces": (
        png_of([DEEP, *((b"IDAT", GIGABYTE[start : start + 200]) for start in range(0, len(GIGABYTE), 200)), END]),
        DamagedImageError,
        "more data than pixels",
    ),
    "many chunks": (png([(b"teSt", b"")] * 80_000, []), DamagedImageError, "chunks"),
    "many empty pieces of pixels": (png([(b"IDAT", b"")] * 80_000, []), DamagedImageError, "chunks"),
    "many comments": (jpeg_with(segment(0xFE, b"") * 250_000), DamagedImageError, "segments"),
    "many tables": (jpeg_with(segment(0xDB, (b"\1" + b"\1" * 64) * 1000) * 16), DamagedImageError, "tables"),
    "many scans": (jpeg_of_scans(2000, MAX_JPEG_SCANS + 1), DamagedImageError, "scans"),
    "arithmetic coding": (jpeg().replace(b"\xff\xc0", b"\xff\xc9"), UnsupportedImageError, "baseline"),
    "a lossless JPEG": (jpeg().replace(b"\xff\xc0", b"\xff\xc3"), UnsupportedImageError, "baseline"),
    "many codes": (webp_of_codes(1100, 1100), ImageTooLargeError, "send it as PNG"),
    "a huge canvas": (riff(canvas(16384, 16384)), ImageTooLargeError, "at most 4,000,000 pixels"),
    "an animation of one frame": (riff(canvas(9, 9, 2), (b"ANIM", bytes(6))), UnsupportedImageError, "animation"),
    "many chunks of WebP": (riff(canvas(9, 9), *[(b"EXIF", b"")] * 100_000), DamagedImageError, "chunks"),
    "many large frames": (gif(2000, 2000, *[FRAME] * 5), ImageTooLargeError, "the limit is 16,000,000"),
    "many frames": (gif(9, 9, *[image(0, 0, 1, 1, repeated(1))] * 40_000), ImageTooLargeError, "1,000 frames"),
    "many extensions": (gif(9, 9, b"\x21\xfe\0" * 300_000), DamagedImageError, "extensions"),
    "many blocks": (gif(9, 9, b"\x21\xfe" + b"\1a" * 500_000 + b"\0"), DamagedImageError, "blocks"),
    "a frame far away": (gif(9, 9, image(65535, 65535, 9, 9, repeated(81))), ImageTooLargeError, "8192 per side"),
    "empty runs": (bmp(2000, 2000, 8, b"\0\2\0\0" * 250_000, compression=1), DamagedImageError, "decoded"),
    "tiles larger than the picture": (
        tiff(page(10, 10, compression=8) | {322: [65520], 323: [65520]}, [zlib.compress(bytes(100))]),
        ImageTooLargeError,
        "tiles",
    ),
    "too many strips": (
        tiff(page(100, 8000, samples=3, photometric=2, compression=8) | {278: [1], 284: [2]}, [b"x"] * 24_000),
        DamagedImageError,
        "values",
    ),
    "scans in a TIFF": (
        tiff(page(2000, 2000, compression=7), [jpeg_of_scans(2000, MAX_JPEG_SCANS + 1)]),
        DamagedImageError,
        "scans",
    ),
    "a large JPEG in a small TIFF": (
        tiff(page(10, 10, compression=7), [jpeg_of_scans(8000, 2)]),
        DamagedImageError,
        "decoded",
    ),
}
DECODED = {
    **{f"{name} before": png(many(text), []) for name, text in TEXTS.items()},
    **{f"{name} behind": png([], many(text)) for name, text in TEXTS.items()},
    **{f"{name} of a gigabyte": png([(text[0], text[1] + GIGABYTE)], []) for name, text in TEXTS.items()},
    "a gigabyte behind the pixels": png_of([HEADER, (b"IDAT", GIGABYTE), END]),
    "many palettes": png([(b"PLTE", bytes(3))] * 9000, []),
    "text behind EXIF data": png([], [(b"eXIf", b"MM\0*"), *many(TEXTS["zTXt"])]),
    "16 bits, colour and alpha": noisy_png(2000, 2000, interlaced=False),
    "interlaced": noisy_png(2000, 2000, interlaced=True),
    "EXIF data in pieces": jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(1000)) * (MAX_SEGMENTS - 50)),
    "entries of EXIF data": jpeg_with(segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(65_000))),
    "fill bytes": jpeg_with(b"\xff" * 1_000_000),
    "bytes between segments": jpeg_with(b"\xff\xd0" + bytes(1_000_000)),
    "the maximum of scans": jpeg_of_scans(2000, MAX_JPEG_SCANS),
    "the maximum of codes": webp_of_codes(520, 520),
    "a large GIF": gif(2000, 2000, FRAME),
    "frames of the maximum of pixels": gif(2000, 2000, *[control(3, 1) + FRAME] * 4),
    "the maximum of frames": gif(126, 126, *[control(3, 1) + image(0, 0, 126, 126, repeated(126**2))] * 1000),
    "small frames on a large canvas": gif(2000, 2000, *[control(3, 1) + image(0, 0, 1, 1, repeated(1))] * 1000),
    "frames to compose": gif(500, 500, *[image(0, 0, 500, 500, repeated(250_000))] * 64),
    "codes behind the last pixel": gif(9, 9, image(0, 0, 9, 9, repeated(81) + b"\xff" * 900_000)),
    "a large BMP of runs": bmp(2000, 2000, 8, (b"\xff\1" * 7 + b"\xd7\1\0\0") * 2000 + b"\0\1", compression=1),
    "a large TIFF": tiff(
        page(2000, 2000, bits=16, samples=4, photometric=2, compression=8) | {338: (3, [2])},
        [zlib.compress(bytes(2000 * 2000 * 8))],
    ),
    "a gigabyte in a TIFF": tiff(page(2000, 2000, compression=8), [GIGABYTE]),
    "the maximum of strips": tiff(page(488, 8192, compression=8) | {278: [1]}, [zlib.compress(bytes(488))] * 8192),
    "tiles of the maximum size": tiff(
        page(10, 10, bits=16, samples=4, photometric=2, compression=8) | {322: [2816], 323: [2832], 338: (3, [2])},
        [zlib.compress(bytes(2816 * 2832 * 8))],
    ),
    "a facsimile of noise": tiff(
        page(2000, 2000, bits=1, photometric=0, compression=4), [np.random.default_rng(0).bytes(900_000)]
    ),
    "the maximum of scans in a TIFF": tiff(page(2000, 2000, compression=7), [jpeg_of_scans(2000, MAX_JPEG_SCANS)]),
}


def test_they_are_uploads() -> None:
    for data in (*(data for data, _, _ in REFUSED.values()), *DECODED.values()):
        assert len(data) <= LARGEST_UPLOAD


@pytest.mark.parametrize(("data", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_and_costs_little(data: bytes, kind: type[Exception], words: str) -> None:
    with at_most(1), pytest.raises(kind, match=words):
        decode_image(data)


@pytest.mark.parametrize("data", DECODED.values(), ids=DECODED)
def test_it_is_decoded_and_costs_little(data: bytes) -> None:
    with at_most(1):
        decode_image(data)


MEMORY = """
import sys
from pathlib import Path
from app.inference.images import ImageError, decode_image

def megabytes():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

sample = Path(sys.argv[1]).read_bytes()
expected, before = decode_image(sample), megabytes()
for file in sys.argv[2:]:
    try:
        decode_image(Path(file).read_bytes())
    except ImageError:
        pass
    assert (decode_image(sample) == expected).all(), file
    print(megabytes() - before, file)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the greatest size of a process is read from /proc")
def test_none_takes_much_memory_and_the_next_image_is_read(tmp_path: Path, repository: Path) -> None:
    files: list[Path] = []
    for name, data in ({name: refused[0] for name, refused in REFUSED.items()} | DECODED).items():
        files.append(tmp_path / name)
        files[-1].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, repository / "samples" / "b5wn6.png", *files],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    growth = [float(line.partition(" ")[0]) for line in done.stdout.splitlines()]
    assert len(growth) == len(files)
    assert max(growth) < GROWTH_MEGABYTES, done.stdout


SMALL = {
    "a PNG of more data than pixels": lambda: png_of([HEADER, (b"IDAT", GIGABYTE[:9600]), END]),
    "a PNG of 16 bits and more data than pixels": lambda: png_of([DEEP, (b"IDAT", GIGABYTE[:9600]), END]),
    "a PNG of many bits": lambda: noisy_png(316, 316, interlaced=False),
    "a JPEG of scans": lambda: jpeg_of_scans(316, MAX_JPEG_SCANS),
    "a WebP of codes": lambda: webp_of_codes(124, 124),
    "a GIF of frames": lambda: gif(100, 100, *[image(0, 0, 100, 100, repeated(10_000))] * 10),
    "a TIFF of strips": lambda: tiff(page(300, 300, compression=8) | {278: [1]}, [zlib.compress(bytes(300))] * 300),
    "a TIFF of scans": lambda: tiff(page(316, 316, compression=7), [jpeg_of_scans(316, MAX_JPEG_SCANS)]),
}


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_small_images_take_milliseconds(make: Callable[[], bytes]) -> None:
    checked = check_image(make(), LIMITS)
    assert checked.is_small
    with at_most(0.3), contextlib.suppress(DamagedImageError):
        checked.decode()


LARGE = {
    "many bytes": png_of([HEADER, (b"IDAT", bytes(70_000)), END]),
    "many pixels": png_of([png_header(400, 300), PIXELS, END]),
    "many codes": webp_of_codes(300, 300),
    "many frames": gif(9, 9, *[image(0, 0, 9, 9, repeated(81))] * 11),
    "large frames": gif(200, 200, *[image(0, 0, 200, 200, repeated(40_000))] * 3),
    "many strips": tiff(page(9, 400, compression=8) | {278: [1]}, [zlib.compress(bytes(9))] * 400),
    "large tiles": tiff(page(9, 9, compression=8) | {322: [1024], 323: [1024]}, [zlib.compress(bytes(1 << 20))]),
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_slow_images_are_not_small(data: bytes) -> None:
    assert not check_image(data, LIMITS).is_small


def test_metadata_does_not_make_an_image_large() -> None:
    for data in (png([(b"teXt", bytes(100_000))], []), jpeg_with(segment(0xE2, bytes(60_000)) * 2)):
        assert check_image(data, LIMITS).is_small


class TestInputOfTheDecoder:
    def test_a_png_keeps_its_pixels(self) -> None:
        palette, transparency = (b"PLTE", bytes(6)), (b"tRNS", b"\0")
        noise: list[Chunk] = [(b"gAMA", b"\0\0\0\1"), (b"tEXt", b"a\0b"), (b"acTL", bytes(8)), (b"prVt", b"")]
        data = png([*noise, palette, palette, transparency, (b"eXIf", b"one")], [*noise, transparency, (b"eXIf", b"")])
        checked = check_image(data + b"trailing", LIMITS)
        assert checked.format == "PNG"
        assert chunks_of(checked.data) == [HEADER, palette, transparency, PIXELS, END]

    @pytest.mark.parametrize("mode", ["RGB", "CMYK"])
    def test_a_jpeg_keeps_its_pixels_and_colour_space(self, mode: str) -> None:
        data = jpeg(mode, (40, 20), comment=b"comment", icc_profile=bytes(500))
        given = check_image(data, LIMITS).data
        assert b"comment" not in given
        assert len(given) < len(data) - 500
        np.testing.assert_array_equal(decode_image(given), decode_image(data))
        assert given.count(b"JFIF") + given.count(b"Adobe") == 1

    def test_unknown_critical_chunks_are_not_dropped(self) -> None:
        with pytest.raises(DamagedImageError, match="unknown critical chunk"):
            decode_image(png([(b"NEWS", b"")], []))
