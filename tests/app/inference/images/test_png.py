"""PNG: the decoder of small images gives exactly OpenCV's pixels, and leaves damaged files to OpenCV."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.images import DamagedImageError, decode_image
from app.inference.images.formats.png import DEPTHS, MAX_INFLATION, SPARE_INFLATION
from app.inference.images.pixels import finish
from tests.app.inference.images.image_files import END, Chunk, png_header, png_of

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
ROWS = b"".join(b"\1" + bytes(range(30)) for _ in range(4))
"""Rows of an image of 10×4 pixels in three channels."""


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    """Generate a PNG of any type, size and filters, with one or more chunks, compressed or not."""
    colours = draw(st.sampled_from(sorted(DEPTHS)))
    depth, interlaced = draw(st.sampled_from(DEPTHS[colours])), draw(st.booleans())
    width, height = draw(st.integers(1, 19)), draw(st.integers(1, 19))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = b""
    for left, top, across, down in PASSES if interlaced else [(0, 0, 1, 1)]:
        columns = len(range(left, width, across))
        row_bytes = (columns * CHANNELS[colours] * depth + 7) // 8
        for _ in range(top, height, down) if columns else ():
            rows += bytes([draw(st.integers(0, 4))]) + noise.bytes(row_bytes)
    deflated = zlib.compress(rows, draw(st.integers(0, 9)))
    cut = draw(st.integers(0, len(deflated)))
    palette: list[Chunk] = [(b"PLTE", noise.bytes(3 * 2**depth))] if colours == 3 else []
    pixels: list[Chunk] = [(b"IDAT", deflated[:cut]), (b"IDAT", deflated[cut:])]
    return png_of([png_header(width, height, depth, colours, interlaced=interlaced), *palette, *pixels, END])


@given(pngs())
def test_all_types_are_decoded_like_by_opencv(data: bytes) -> None:
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert expected is not None
    np.testing.assert_array_equal(decode_image(data), finish(expected, 1))


@pytest.mark.parametrize("colours", [0, 2, 4, 6])
@pytest.mark.parametrize("depth", [8, 16])
def test_incompressible_files_are_decoded_like_by_opencv(colours: int, depth: int) -> None:
    noise = np.random.default_rng(colours)
    rows = b"".join(bytes([row % 5]) + noise.bytes(120 * CHANNELS[colours] * depth // 8) for row in range(100))
    deflated = zlib.compress(rows)
    assert len(deflated) > SPARE_INFLATION // MAX_INFLATION
    data = png_of([png_header(120, 100, depth, colours), (b"IDAT", deflated[:999]), (b"IDAT", deflated[999:]), END])
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert expected is not None
    np.testing.assert_array_equal(decode_image(data), finish(expected, 1))
    for place in (len(data) // 2, len(data) - 20):  # a bit of the pixels, and of their checksum
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(DamagedImageError):
            decode_image(bytes(changed))


@pytest.mark.parametrize("colours", [0, 2, 6])
def test_large_images_are_decoded_like_small_ones(colours: int) -> None:
    row = np.random.default_rng(colours).bytes(300 * CHANNELS[colours])
    small, large = (
        decode_image(
            png_of([png_header(300, height, 8, colours), (b"IDAT", zlib.compress((b"\2" + row) * height)), END])
        )
        for height in (300, 400)
    )
    np.testing.assert_array_equal(small, large[:300])


@pytest.mark.parametrize(
    "deflated",
    [
        pytest.param(zlib.compress(ROWS[:-31]), id="a row is missing"),
        pytest.param(zlib.compress(ROWS)[:-6], id="truncated data"),
        pytest.param(b"no deflated data", id="no deflated data"),
        pytest.param(zlib.compress(b"\7" + ROWS[1:]), id="an unknown filter"),
    ],
)
def test_damaged_files_are_refused(deflated: bytes) -> None:
    with pytest.raises(DamagedImageError, match="its pixels cannot be decoded"):
        decode_image(png_of([png_header(10, 4), (b"IDAT", deflated), END]))


def test_a_wrong_checksum_is_refused() -> None:
    good = png_of([png_header(10, 4), (b"IDAT", zlib.compress(ROWS)), END])
    end_of_pixels = good.index(b"IEND") - 4
    (checksum,) = struct.unpack_from(">I", good, end_of_pixels - 4)
    bad = good[: end_of_pixels - 4] + struct.pack(">I", checksum ^ 1) + good[end_of_pixels:]
    assert decode_image(good).shape == (4, 10, 3)
    with pytest.raises(DamagedImageError, match="its pixels cannot be decoded"):
        decode_image(bad)
