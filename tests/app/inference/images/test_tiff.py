"""TIFFs of all kinds, pixel by pixel."""

import math
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.images import DamagedImageError, UnsupportedImageError, decode_image
from tests.app.inference.images.image_files import jpeg, segment
from tests.app.inference.images.tiff_files import Tag, page, tiff

WIDTH, HEIGHT = 21, 10
RANDOM = np.random.default_rng(3)
ORDERS = pytest.mark.parametrize("order", ["<", ">"])
Samples = NDArray[np.uint8] | NDArray[np.uint16]


def samples(depth: int, channels: int = 1) -> NDArray[np.uint16]:
    return RANDOM.integers(0, 2**depth, (HEIGHT, WIDTH, channels)).astype(np.uint16)


def packed(values: NDArray[np.uint16], depth: int, order: str = "<") -> bytes:
    """Pack the rows of samples (rows, columns, channels), each padded to whole bytes."""
    rows = values.reshape(len(values), -1)
    if depth == 16:
        return rows.astype(order + "u2").tobytes()
    bits = np.unpackbits(rows.astype(np.uint8)[..., np.newaxis], axis=2)[..., -depth:]
    return np.packbits(bits.reshape(len(rows), -1), axis=1).tobytes()


def in_eight_bits(values: NDArray[np.uint16], depth: int) -> NDArray[np.float64]:
    return np.rint(values * (255 / (2**depth - 1)))


@ORDERS
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("compression", [1, 8])
def test_grey_is_scaled_from_black_to_white(order: str, photometric: int, depth: int, compression: int) -> None:
    values = samples(depth)
    stored = packed(values, depth, order)
    pieces = [zlib.compress(stored) if compression == 8 else stored]
    tags = page(WIDTH, HEIGHT, bits=depth, photometric=photometric, compression=compression)
    grey = in_eight_bits(values, depth)[..., 0]
    expected = grey if photometric else 255 - grey
    np.testing.assert_array_equal(decode_image(tiff(tags, pieces, order)), expected)


@ORDERS
@pytest.mark.parametrize(
    ("depth", "is_separate", "compression"),
    [(8, False, 1), (8, False, 8), (8, True, 1), (8, True, 8), (16, False, 1), (16, False, 8), (16, True, 8)],
)
def test_colours_are_unchanged(order: str, depth: int, is_separate: bool, compression: int) -> None:
    values = samples(depth, 3)
    planes = [values[..., channel, np.newaxis] for channel in range(3)] if is_separate else [values]
    pieces = [packed(plane, depth, order) for plane in planes]
    if compression == 8:
        pieces = [zlib.compress(piece) for piece in pieces]
    tags = page(WIDTH, HEIGHT, bits=depth, samples=3, photometric=2, compression=compression)
    tags[284] = (3, [2 if is_separate else 1])
    decoded = decode_image(tiff(tags, pieces, order))[..., ::-1]
    assert np.abs(decoded - in_eight_bits(values, depth)).max() <= (0 if depth == 8 else 1)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_indices_are_converted_to_palette_colours(depth: int) -> None:
    palette = RANDOM.integers(0, 256, (2**depth, 3)).astype(np.uint16)
    values = samples(depth)
    tags = page(WIDTH, HEIGHT, bits=depth, photometric=3)
    tags[320] = (3, (palette * 257).T.reshape(-1).tolist())
    decoded = decode_image(tiff(tags, [packed(values, depth)]))
    np.testing.assert_array_equal(decoded[..., ::-1], palette[values[..., 0]])


@pytest.mark.parametrize("extra", [1, 2])
def test_an_alpha_channel_is_put_on_white(extra: int) -> None:
    values = samples(8, 4)
    if extra == 1:  # colours are stored premultiplied
        values[..., :3] = values[..., :3] * values[..., 3:] // 255
    tags = page(WIDTH, HEIGHT, samples=4, photometric=2)
    tags[338] = (3, [extra])
    opacity = values[..., 3:] / 255
    colours = values[..., :3] * (1 if extra == 1 else opacity)
    decoded = decode_image(tiff(tags, [packed(values, 8)]))[..., ::-1]
    assert np.abs(decoded - (colours + 255 * (1 - opacity))).max() <= 2


def test_an_unspecified_fourth_channel_is_ignored() -> None:
    values = samples(8, 4)
    tags = page(WIDTH, HEIGHT, samples=4, photometric=2)
    tags[338] = (3, [0])
    np.testing.assert_array_equal(decode_image(tiff(tags, [packed(values, 8)]))[..., ::-1], values[..., :3])


def test_inks_darken() -> None:
    values = samples(8, 4)
    tags = page(WIDTH, HEIGHT, samples=4, photometric=5)
    light = 1 - values / 255
    decoded = decode_image(tiff(tags, [packed(values, 8)]))[..., ::-1]
    assert np.abs(decoded - 255 * light[..., :3] * light[..., 3:]).max() <= 2


@pytest.mark.parametrize("rows", [1, 3, 7, 10, 2**32 - 1])
@pytest.mark.parametrize("compression", [1, 8])
def test_strips_follow_each_other(rows: int, compression: int) -> None:
    values = samples(8)
    height = min(rows, HEIGHT)
    pieces = [packed(values[start : start + height], 8) for start in range(0, HEIGHT, height)]
    if compression == 8:
        pieces = [zlib.compress(piece) for piece in pieces]
    tags = page(WIDTH, HEIGHT, compression=compression) | {278: [rows]}
    np.testing.assert_array_equal(decode_image(tiff(tags, pieces)), values[..., 0])


@pytest.mark.parametrize("compression", [1, 8])
def test_tiles_stand_side_by_side(compression: int) -> None:
    values = RANDOM.integers(0, 256, (40, 50)).astype(np.uint8)
    across, down = math.ceil(50 / 32), math.ceil(40 / 16)
    padded = np.pad(values, ((0, 16 * down - 40), (0, 32 * across - 50)))
    tiles = padded.reshape(down, 16, across, 32).swapaxes(1, 2).reshape(-1, 16 * 32)
    pieces = [zlib.compress(tile.tobytes()) if compression == 8 else tile.tobytes() for tile in tiles]
    tags = page(50, 40, compression=compression) | {322: [32], 323: [16]}
    np.testing.assert_array_equal(decode_image(tiff(tags, pieces)), values)


def test_a_single_uncompressed_strip_needs_no_length() -> None:
    values = samples(8)
    data = tiff(page(WIDTH, HEIGHT), [packed(values, 8)])
    without = data.replace(struct.pack("<HHI", 279, 4, 1), struct.pack("<HHI", 60_000, 4, 1))
    np.testing.assert_array_equal(decode_image(without), values[..., 0])


def test_other_tags_are_ignored() -> None:
    values = samples(8)
    noise: dict[int, Tag | list[int]] = {
        700: (7, [1] * 500),
        34675: (7, [255] * 3000),
        330: [8],
        34665: [8],
        282: (12, [1.0]),
        60_001: (2, [65]),
    }
    data = tiff(page(WIDTH, HEIGHT) | noise, [packed(values, 8)])
    np.testing.assert_array_equal(decode_image(data), values[..., 0])


UNSUPPORTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "old JPEG": (lambda: tiff(page(9, 9, compression=6), [b"x"]), "none, CCITT group 3, CCITT group 4, LZW, JPEG"),
    "LERC": (lambda: tiff(page(9, 9, compression=34887), [b"x"]), "save it with one of these"),
    "JPEG 2000": (lambda: tiff(page(9, 9, compression=34712), [b"x"]), "save it with one of these"),
    "32 bits": (lambda: tiff(page(9, 9, bits=32), [bytes(324)]), "8 or 16 bits a channel"),
    "planes of 16 bits": (
        lambda: tiff(page(9, 9, bits=16, samples=3, photometric=2) | {284: (3, [2])}, [bytes(162)] * 3),
        "8 or 16 bits a channel",
    ),
    "floats": (lambda: tiff(page(9, 9, bits=16) | {339: (3, [3])}, [bytes(162)]), "8 or 16 bits a channel"),
    "LAB": (lambda: tiff(page(9, 9, samples=3, photometric=8), [bytes(243)]), "8 or 16 bits a channel"),
    "many channels": (lambda: tiff(page(9, 9, samples=9, photometric=2), [bytes(729)]), "8 or 16 bits a channel"),
}


@pytest.mark.parametrize(("make", "words"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_unsupported_kinds_are_refused_with_advice(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(UnsupportedImageError, match=words):
        decode_image(make())


DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "no size": (lambda: tiff({259: [1]}, [b"x"]), "header"),
    "no strips": (lambda: tiff(page(9, 9), []), "too few strips or tiles"),
    "a strip too few": (lambda: tiff(page(9, 9) | {278: [3]}, [bytes(27)] * 2), "too few strips or tiles"),
    "a strip too short": (lambda: tiff(page(9, 9), [bytes(80)]), "truncated"),
    "strips that overlap": (
        lambda: tiff(page(9, 9) | {278: [1], 273: [8] * 9, 279: [900] * 9}, [bytes(999)]),
        "truncated",
    ),
    "strips beyond the end": (lambda: tiff(page(9, 9) | {273: [99_999]}, [bytes(81)]), "truncated"),
    "tiles of no size": (lambda: tiff(page(9, 9) | {322: [0], 323: [0]}, [bytes(81)]), "tiles"),
    "tiles of an odd size": (lambda: tiff(page(9, 9) | {322: [9], 323: [9]}, [bytes(81)]), "tiles"),
    "half a palette": (lambda: tiff(page(9, 9, photometric=3) | {320: (3, [0] * 99)}, [bytes(81)]), "palette"),
    "many tags": (lambda: tiff(page(9, 9) | {40_000 + n: [1] for n in range(1001)}, [bytes(81)]), "1,000 tags"),
    "many values": (lambda: tiff(page(9, 9) | {338: (3, [0] * 20_001)}, [bytes(81)]), "20,000 values"),
    "many JPEGs": (lambda: tiff(page(9, 1025, compression=7) | {278: [1]}, [jpeg(size=(9, 1))] * 1025), "1,024 strips"),
    "a JPEG of many segments": (
        lambda: tiff(
            page(9, 9, compression=7), [jpeg(size=(9, 9)).replace(b"\xff\xd8", b"\xff\xd8" + segment(0xFE, b"") * 20)]
        ),
        "20 segments",
    ),
    "a JPEG of another size": (lambda: tiff(page(9, 9, compression=7), [jpeg(size=(64, 64))]), "cannot be decoded"),
}


@pytest.mark.parametrize(("make", "words"), DAMAGED.values(), ids=DAMAGED)
def test_files_without_a_valid_image_are_damaged(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(DamagedImageError, match=words):
        decode_image(make())
