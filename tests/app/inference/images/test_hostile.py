"""Uploads that are not images, damaged or malicious: always an `ImageError`, and fast."""

import contextlib
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from app.inference.images import (
    ACCEPTED,
    DamagedImageError,
    ImageError,
    ImageLimits,
    ImageTooLargeError,
    UnsupportedImageError,
    decode_image,
)
from app.inference.images.formats.jpeg import MAX_SCANS as MAX_JPEG_SCANS
from tests.app.inference.images.bmp_files import bmp
from tests.app.inference.images.costs import at_most
from tests.app.inference.images.gif_files import frame, gif
from tests.app.inference.images.image_files import SIGNATURE, chunks_of, png_header, png_of
from tests.app.inference.images.tiff_files import page, tiff
from tests.properties import examples

# Pillow warns about invalid metadata; the service logs that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

WIDTH, HEIGHT = 32, 20
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8))
EXIF = Image.Exif()
EXIF[0x0112] = 6


def file_of(file_format: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    PICTURE.convert(mode).save(buffer, file_format, **options)
    return buffer.getvalue()


def animation(file_format: str) -> bytes:
    turned = PICTURE.convert("RGB").rotate(180)
    return file_of(file_format, save_all=True, append_images=[turned], duration=50)


VALID = {
    "png": file_of("PNG"),
    "png with alpha": file_of("PNG", "RGBA", exif=EXIF),
    "png palette": file_of("PNG", "P", transparency=0),
    "jpeg": file_of("JPEG", exif=EXIF),
    "jpeg progressive": file_of("JPEG", "L", progressive=True),
    "webp": file_of("WEBP", exif=EXIF),
    "webp lossless": file_of("WEBP", "RGBA", lossless=True),
    "gif": file_of("GIF", "P"),
    "gif animated": animation("GIF"),
    "bmp": file_of("BMP"),
    "bmp palette": file_of("BMP", "P"),
    "tiff": file_of("TIFF"),
    "tiff lzw": file_of("TIFF", "P", compression="tiff_lzw"),
    "tiff jpeg": file_of("TIFF", compression="jpeg"),
}
SHAPES = {(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3), (WIDTH, HEIGHT), (WIDTH, HEIGHT, 3)}
DEFAULT = ImageLimits()
SMALL = ImageLimits(max_pixels=10_000, max_side=4000)


def webp_header(width: int, height: int) -> bytes:
    """Build the start of a lossy WebP (RFC 9649) of a size, without its pixels."""
    frame = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(100)
    return b"RIFF" + struct.pack("<I", 12 + len(frame)) + b"WEBPVP8 " + struct.pack("<I", len(frame)) + frame


def jpeg_header(width: int, height: int) -> bytes:
    data = VALID["jpeg progressive"]
    place = data.index(b"\xff\xc2") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def message(data: bytes, kind: type[ImageError], limits: ImageLimits = DEFAULT) -> str:
    with pytest.raises(ImageError) as caught:
        decode_image(data, limits)
    assert type(caught.value) is kind
    said = str(caught.value)
    # Pillow's own messages name the buffer and its address.
    assert not any(leak in said for leak in ("/", "\\", "BytesIO", "0x"))
    return said


def decodes_or_is_refused(data: bytes, limits: ImageLimits) -> None:
    try:
        pixels = decode_image(data, limits)
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2 or pixels.shape[2:] == (3,)
    assert 0 < pixels.shape[0] * pixels.shape[1] <= limits.max_pixels
    assert max(pixels.shape[:2]) <= limits.max_side


@pytest.mark.parametrize("data", [b"", b"hello", b"\0", b"RIFF1234WAVE", b"<html></html>", b"\xff" * 5000])
def test_files_that_are_not_images_are_refused_with_the_accepted_formats(data: bytes) -> None:
    assert ACCEPTED in message(data, UnsupportedImageError)


def test_an_empty_upload_is_reported_as_such() -> None:
    assert "empty" in message(b"", UnsupportedImageError)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_animations_are_refused_as_such(file_format: str) -> None:
    said = message(animation(file_format), UnsupportedImageError)
    assert "is an animation; send one of its frames, or a GIF" in said


@pytest.mark.parametrize("kind", VALID)
def test_an_image_truncated_anywhere_is_refused_or_has_its_size(kind: str) -> None:
    data = VALID[kind]
    assert decode_image(data).shape in SHAPES
    for length in range(len(data)):
        with contextlib.suppress(ImageError):
            assert decode_image(data[:length]).shape in SHAPES


@pytest.mark.parametrize("kind", VALID)
def test_half_an_image_is_damaged(kind: str) -> None:
    data = VALID[kind]
    assert "damaged" in message(data[: len(data) // 2], DamagedImageError)


@pytest.mark.parametrize(
    "start",
    [
        SIGNATURE,
        b"\xff\xd8\xff",
        b"RIFF\x99\0\0\0WEBP",
        b"GIF89a",
        b"BM" + bytes(12) + b"\x28\0\0\0",
        b"II*\0",
        b"MM\0*",
    ],
)
def test_an_image_truncated_after_its_signature_is_damaged(start: bytes) -> None:
    for rest in (b"", bytes(40), b"\xff" * 40):
        message(start + rest, DamagedImageError)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT"])
def test_a_png_with_a_wrong_checksum_is_damaged(kind: bytes) -> None:
    data = bytearray(VALID["png palette"])
    place = data.index(kind)
    (length,) = struct.unpack_from(">I", data, place - 4)
    data[place + 4 + length] ^= 1
    message(bytes(data), DamagedImageError)


@pytest.mark.parametrize("body", [b"", b"no zlib stream", zlib.compress(b""), zlib.compress(bytes(50))])
def test_a_png_without_all_its_pixels_is_damaged(body: bytes) -> None:
    message(png_of([png_header(WIDTH, HEIGHT), (b"IDAT", body), (b"IEND", b"")]), DamagedImageError)


@pytest.mark.parametrize(
    "header",
    [
        lambda w, h: png_of([png_header(w, h), (b"IDAT", b""), (b"IEND", b"")]),
        jpeg_header,
        webp_header,
        lambda w, h: gif(w, h, frame(0, 0, 1, 1, [0])),
        lambda w, h: gif(1, 1, frame(w - 1, h - 1, 1, 1, [0])),
        lambda w, h: bmp(w, h, 8, b"\0\1", compression=1),
        lambda w, h: tiff(page(w, h, compression=8), [b"\0"]),
    ],
    ids=["png", "jpeg", "webp", "gif", "gif by its frame", "bmp", "tiff"],
)
@pytest.mark.parametrize(("width", "height"), [(16000, 16000), (8193, 1), (1, 8193), (2001, 2000), (10_000, 10_000)])
def test_too_many_pixels_are_refused_by_the_header(
    header: Callable[[int, int], bytes], width: int, height: int
) -> None:
    assert "at most 4,000,000 pixels, and 8192 per side" in message(header(width, height), ImageTooLargeError)


def test_a_header_that_claims_billions_of_pixels_costs_neither_time_nor_memory() -> None:
    data = png_of([png_header(60_000, 60_000), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])
    tracemalloc.start()
    with at_most(1):
        message(data, ImageTooLargeError)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_the_caller_sets_the_limits() -> None:
    data = VALID["png"]
    assert decode_image(data, ImageLimits(max_pixels=WIDTH * HEIGHT, max_side=WIDTH)).shape == (HEIGHT, WIDTH, 3)
    few = message(data, ImageTooLargeError, ImageLimits(max_pixels=WIDTH * HEIGHT - 1))
    assert "32×20 pixels; at most 639 pixels" in few
    assert "31 per side" in message(data, ImageTooLargeError, ImageLimits(max_side=WIDTH - 1))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((4, b"\x0c"), id="12 bits a sample"),
        pytest.param((5, b"\0\0"), id="no height"),
        pytest.param((7, b"\0\0"), id="no width"),
        pytest.param((9, b"\0"), id="no components"),
        pytest.param((1, b"\xfe"), id="no frame header"),
    ],
)
def test_an_invalid_jpeg_header_is_unreadable(change: tuple[int, bytes]) -> None:
    data, (offset, value) = VALID["jpeg progressive"], change
    place = data.index(b"\xff\xc2") + offset
    said = message(data[:place] + value + data[place + len(value) :], DamagedImageError)
    assert said == "The JPEG image is damaged: its header cannot be read."


@pytest.mark.parametrize("claimed", [2**24, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"IEND", b"\0\0\0\0"])
def test_a_png_chunk_longer_than_the_file_is_refused_at_once(kind: bytes, claimed: int) -> None:
    """OpenCV 5 would fill 4 GB with zeros for this upload of 100 bytes."""
    header, pixels, _ = chunks_of(png_of([png_header(1, 1), (b"IDAT", zlib.compress(bytes(4))), (b"IEND", b"")]))
    if kind == b"IDAT":
        data = png_of([header]) + struct.pack(">I", claimed) + kind + pixels[1] + bytes(4)
    else:
        data = png_of([header, pixels]) + struct.pack(">I", claimed) + kind + bytes(40)
    with at_most(0.2):
        message(data, DamagedImageError)


def test_a_second_frame_of_a_jpeg_does_not_bypass_the_limits() -> None:
    small, large = VALID["jpeg progressive"], jpeg_header(30_000, 30_000)
    place = small.index(b"\xff\xc2")
    end = place + 2 + int.from_bytes(small[place + 2 : place + 4])
    for first, second in ((small, large), (large, small)):
        with pytest.raises(ImageError):
            decode_image(first[:end] + second[place:end] + first[end:])


def test_a_second_header_does_not_bypass_the_limits() -> None:
    _, pixels, end = chunks_of(VALID["png"])
    for sizes in ([(30_000, 30_000), (WIDTH, HEIGHT)], [(WIDTH, HEIGHT), (30_000, 30_000)]):
        with pytest.raises(ImageError):
            decode_image(png_of([*(png_header(*size) for size in sizes), pixels, end]))


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once() -> None:
    """Each scan of a progressive JPEG visits every pixel: a megabyte of empty ones would take a minute."""
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00" + b"\x00"
    few = VALID["jpeg progressive"]
    assert few.count(b"\xff\xda") < MAX_JPEG_SCANS / 5
    with at_most(1):
        assert "scans" in message(few[:-2] + scan * 5000 + few[-2:], DamagedImageError)


def test_a_bomb_in_compressed_text_is_ignored() -> None:
    header, pixels, end = chunks_of(VALID["png"])
    bomb = (b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
    with at_most(0.5):
        for chunks in ([header, bomb, pixels, end], [header, pixels, bomb, end]):
            decodes_or_is_refused(png_of(chunks), SMALL)


@examples(150)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", SIGNATURE, b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBPVP8 ", b"GIF87a", b"II*\0\x08\0\0\0"]),
)
@example(b"", b"\xff\xd8\xff")
def test_random_bytes_are_always_refused(data: bytes, start: bytes) -> None:
    with pytest.raises(ImageError):
        decode_image(start + data, SMALL)


@st.composite
def changes(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Generate changes: bytes overwritten, removed and inserted."""
    edits = draw(
        st.lists(
            st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 4), st.binary(max_size=4)),
            min_size=1,
            max_size=6,
        )
    )

    def change(data: bytes) -> bytes:
        for where, taken_out, put_in in edits:
            place = int(where * len(data))
            data = data[:place] + put_in + data[place + taken_out :]
        return data

    return change


@examples(250)
@given(st.sampled_from(sorted(VALID)), changes())
def test_changed_images_are_decoded_or_refused(kind: str, change: Callable[[bytes], bytes]) -> None:
    decodes_or_is_refused(change(VALID[kind]), SMALL)


@examples(250)
@given(st.sampled_from(sorted(kind for kind in VALID if kind.startswith("png"))), st.integers(0, 9), changes())
def test_changed_pngs_with_valid_checksums_are_decoded_or_refused(
    kind: str, number: int, change: Callable[[bytes], bytes]
) -> None:
    chunks = chunks_of(VALID[kind])
    name, body = chunks[number % len(chunks)]
    chunks[number % len(chunks)] = (name, change(body))
    decodes_or_is_refused(png_of(chunks), SMALL)
