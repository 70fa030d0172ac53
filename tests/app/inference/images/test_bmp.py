"""BMPs of all versions, pixel by pixel."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.images import DamagedImageError, UnsupportedImageError, decode_image
from tests.app.inference.images.bmp_files import bmp, rows_of

WIDTH, HEIGHT = 13, 7
RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
PALETTE = np.pad(RANDOM.integers(0, 256, (256, 3), dtype=np.uint8), ((0, 0), (0, 1)))
BLUE_GREEN_RED = 0xFF0000, 0xFF00, 0xFF


def with_fourth(values: NDArray[np.uint8] | int) -> bytes:
    """The rows of COLOUR with a fourth byte for each pixel."""
    fourth = np.broadcast_to(np.asarray(values, np.uint8), (HEIGHT, WIDTH))
    return rows_of(np.dstack([COLOUR, fourth]).reshape(HEIGHT, -1))


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("header", [12, 40, 64, 124])
def test_indices_are_converted_to_palette_colours(bits: int, header: int) -> None:
    indices = RANDOM.integers(0, 2**bits, (HEIGHT, WIDTH), dtype=np.uint8)
    binary = np.unpackbits(indices[..., np.newaxis], axis=2)[..., -bits:].reshape(HEIGHT, -1)
    palette = PALETTE[: 2**bits]
    stored = (palette[:, :3] if header == 12 else palette).tobytes()
    data = bmp(WIDTH, HEIGHT, bits, rows_of(np.packbits(binary, axis=1)), palette=stored, header=header)
    np.testing.assert_array_equal(decode_image(data), palette[indices, :3])


@pytest.mark.parametrize("header", [12, 40, 108, 124])
def test_colours_are_unchanged(header: int) -> None:
    data = bmp(WIDTH, HEIGHT, 24, rows_of(COLOUR.reshape(HEIGHT, -1)), header=header)
    np.testing.assert_array_equal(decode_image(data), COLOUR)


def test_rows_may_be_top_down() -> None:
    data = bmp(WIDTH, -HEIGHT, 24, rows_of(COLOUR[::-1].reshape(HEIGHT, -1)))
    np.testing.assert_array_equal(decode_image(data), COLOUR)


@pytest.mark.parametrize(
    ("green_bits", "masks"), [(5, ()), (5, (0x7C00, 0x3E0, 0x1F)), (6, (0xF800, 0x7E0, 0x1F))], ids=["15", "555", "565"]
)
def test_16_bits_are_scaled_from_black_to_white(green_bits: int, masks: tuple[int, ...]) -> None:
    depths = np.array([5, green_bits, 5])
    blue, green, red = np.moveaxis(RANDOM.integers(0, 2**depths, (HEIGHT, WIDTH, 3)), 2, 0)
    packed = (red << (5 + green_bits) | green << 5 | blue).astype("<u2")
    data = bmp(WIDTH, HEIGHT, 16, rows_of(packed.view(np.uint8)), compression=3 if masks else 0, masks=masks)
    if masks:  # they follow the header, where the pixels would start
        data = data[:10] + (len(data) - HEIGHT * 28).to_bytes(4, "little") + data[14:]
    expected = np.dstack([blue, green, red]) * 255 / (2**depths - 1)
    assert np.abs(decode_image(data) - expected).max() <= 1


@pytest.mark.parametrize("fourth", [0, 255, 77])
@pytest.mark.parametrize(("compression", "header"), [(0, 40), (0, 124), (3, 108)])
def test_a_fourth_byte_without_a_mask_is_not_an_alpha_channel(fourth: int, compression: int, header: int) -> None:
    masks = (*BLUE_GREEN_RED, 0) if header > 40 else ()
    data = bmp(WIDTH, HEIGHT, 32, with_fourth(fourth), compression=compression, header=header, masks=masks)
    np.testing.assert_array_equal(decode_image(data), COLOUR)


def test_an_alpha_channel_is_put_on_white() -> None:
    alpha = RANDOM.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    masks = (*BLUE_GREEN_RED, 0xFF000000)
    data = bmp(WIDTH, HEIGHT, 32, with_fourth(alpha), compression=3, header=124, masks=masks)
    opacity = alpha[..., np.newaxis] / 255
    np.testing.assert_array_equal(decode_image(data), np.rint(COLOUR * opacity + 255 * (1 - opacity)))


RUNS = {
    "of 8 bits": (
        8,
        bytes([4, 1, 0, 0, 2, 2, 2, 3, 0, 0, 0, 4, 5, 6, 7, 8, 0, 1]),
        [[5, 6, 7, 8], [2, 2, 3, 3], [1] * 4],
    ),
    "of 8 bits, with a step": (8, bytes([2, 1, 0, 2, 1, 1, 1, 9, 0, 1]), [[0] * 4, [0, 0, 0, 9], [1, 1, 0, 0]]),
    "of 4 bits": (
        4,
        bytes([4, 0x12, 0, 0, 0, 4, 0x34, 0x56, 0, 0, 3, 0x70, 0, 1]),
        [[7, 0, 7, 0], [3, 4, 5, 6], [1, 2, 1, 2]],
    ),
}


@pytest.mark.parametrize(("bits", "runs", "indices"), RUNS.values(), ids=RUNS)
def test_run_lengths_are_decoded(bits: int, runs: bytes, indices: list[list[int]]) -> None:
    data = bmp(4, 3, bits, runs, palette=PALETTE[: 2**bits].tobytes(), compression=1 if bits == 8 else 2)
    np.testing.assert_array_equal(decode_image(data), PALETTE[np.array(indices), :3])


@pytest.mark.parametrize("compression", [4, 5, 6, 11])
def test_other_compressions_are_refused_with_advice(compression: int) -> None:
    with pytest.raises(UnsupportedImageError, match="save it as PNG"):
        decode_image(bmp(4, 3, 24, bytes(100), compression=compression))


def test_missing_pixels_are_refused_at_once() -> None:
    with pytest.raises(DamagedImageError, match="truncated"):
        decode_image(bmp(2000, 2000, 24, bytes(100)))


def test_a_text_that_starts_with_bm_is_not_a_bmp() -> None:
    with pytest.raises(UnsupportedImageError, match="not a supported image"):
        decode_image(b"BM is short for bitmap, and this is no bitmap.")
