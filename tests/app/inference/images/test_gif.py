"""GIFs, still and animated: the canvas after each frame, and refused files."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from app.inference.images import DamagedImageError, ImageLimits, ImageTooLargeError, Pixels, check_image, decode_image
from app.inference.images.composition import compose
from tests.app.inference.images.gif_files import control, extension, frame, gif, image, repeated

WIDTH, HEIGHT = 23, 9
RANDOM = np.random.default_rng(4)
PALETTE = RANDOM.integers(0, 256, (128, 3), dtype=np.uint8)
INDICES = RANDOM.integers(0, 128, (HEIGHT, WIDTH), dtype=np.uint8)
WHITE = [255, 255, 255]
BLACK_AND_WHITE = bytes([0, 0, 0, *WHITE])


def picture(*parts: bytes, palette: bytes = PALETTE.tobytes()) -> bytes:
    return gif(WIDTH, HEIGHT, *parts, palette=palette)


def full_frame(indices: NDArray[np.uint8] = INDICES, palette: bytes = b"") -> bytes:
    return frame(0, 0, WIDTH, HEIGHT, indices.reshape(-1).tolist(), palette=palette)


def in_rgb(data: bytes) -> Pixels:
    decoded = decode_image(data)
    return np.dstack([decoded] * 3) if decoded.ndim == 2 else decoded[..., ::-1]


class TestStill:
    def test_indices_are_converted_to_palette_colours(self) -> None:
        np.testing.assert_array_equal(in_rgb(picture(full_frame())), PALETTE[INDICES])

    def test_a_frame_may_have_a_palette_of_its_own(self) -> None:
        other = PALETTE[::-1]
        np.testing.assert_array_equal(in_rgb(picture(full_frame(palette=other.tobytes()))), other[INDICES])

    def test_without_a_palette_indices_are_greys(self) -> None:
        np.testing.assert_array_equal(in_rgb(picture(full_frame(), palette=b"")), np.dstack([INDICES] * 3))

    def test_the_transparent_index_becomes_white(self) -> None:
        expected = np.where((INDICES == 7)[..., np.newaxis], WHITE, PALETTE[INDICES])
        np.testing.assert_array_equal(in_rgb(picture(control(transparent=7), full_frame())), expected)

    def test_uncovered_pixels_are_white(self) -> None:
        expected = np.full((HEIGHT, WIDTH, 3), 255)
        expected[2:5, 3:7] = PALETTE[INDICES[:3, :4]]
        decoded = in_rgb(picture(frame(3, 2, 4, 3, INDICES[:3, :4].reshape(-1).tolist())))
        np.testing.assert_array_equal(decoded, expected)

    def test_the_canvas_grows_with_its_frame(self) -> None:
        data = gif(2, 2, full_frame(), palette=PALETTE.tobytes())
        np.testing.assert_array_equal(in_rgb(data), PALETTE[INDICES])

    def test_interlaced_rows_come_in_four_passes(self) -> None:
        order = [*range(0, HEIGHT, 8), *range(4, HEIGHT, 8), *range(2, HEIGHT, 4), *range(1, HEIGHT, 2)]
        data = picture(frame(0, 0, WIDTH, HEIGHT, INDICES[order].reshape(-1).tolist(), flags=0x40))
        np.testing.assert_array_equal(in_rgb(data), PALETTE[INDICES])

    def test_repeated_pixels_are_expanded(self) -> None:
        decoded = in_rgb(gif(400, 300, image(0, 0, 400, 300, repeated(400 * 300)), palette=PALETTE.tobytes()))
        assert (decoded == PALETTE[0]).all()

    def test_extensions_and_padding_are_ignored(self) -> None:
        noise = extension(0xFE, b"comment" * 99), b"\0\0\0", extension(0x01, bytes(12)), extension(0xFF, b"XMP DataXMP")
        np.testing.assert_array_equal(in_rgb(picture(*noise, full_frame(), *noise)), PALETTE[INDICES])

    def test_the_end_marker_is_optional(self) -> None:
        data = gif(WIDTH, HEIGHT, full_frame(), palette=PALETTE.tobytes(), end=b"")
        np.testing.assert_array_equal(in_rgb(data), PALETTE[INDICES])


def pillows_frames(data: bytes) -> NDArray[np.uint8]:
    """Return Pillow's canvas at each frame, on white: BGR (frames, height, width, 3)."""
    shown = []
    with Image.open(io.BytesIO(data)) as animation:
        for one in ImageSequence.Iterator(animation):
            white = Image.new("RGBA", one.size, "white")
            white.alpha_composite(one.convert("RGBA"))
            shown.append(np.asarray(white.convert("RGB"))[..., ::-1])
    return np.stack(shown)


class TestAnimated:
    @pytest.mark.parametrize("disposal", [0, 1, 2, 3, (1, 3, 2, 1, 2, 3)])
    def test_the_canvas_equals_pillows(self, disposal: int | tuple[int, ...]) -> None:
        disposals = disposal if isinstance(disposal, tuple) else (disposal,) * 6
        parts = []
        for number, one in enumerate(disposals):
            left, top = (0, 0) if number == 0 else RANDOM.integers(0, (WIDTH - 9, HEIGHT - 4)).tolist()
            width, height = (WIDTH, HEIGHT) if number == 0 else (9, 4)
            parts += [
                control(one, transparent=5),
                frame(left, top, width, height, RANDOM.integers(0, 9, width * height)),
            ]
        data = picture(*parts)
        np.testing.assert_array_equal(decode_image(data), compose(pillows_frames(data)))

    def test_a_text_is_read_from_all_frames(self) -> None:
        half = np.ones((2, HEIGHT, WIDTH), np.uint8)
        half[0, 2:7, 3:8] = half[1, 2:7, 14:20] = 0
        decoded = in_rgb(picture(*(full_frame(one) for one in half), palette=BLACK_AND_WHITE))
        np.testing.assert_array_equal(decoded[..., 0], 255 * half.min(axis=0))

    def test_white_ink_on_transparency_is_dark_on_white(self) -> None:
        half = np.zeros((2, HEIGHT, WIDTH), np.uint8)
        half[0, 2:7, 3:8] = half[1, 2:7, 14:20] = 1
        parts = [part for one in half for part in (control(2, transparent=0), full_frame(one))]
        decoded = in_rgb(picture(*parts, palette=bytes(WHITE * 2)))
        np.testing.assert_array_equal(decoded[..., 0], 255 - 255 * half.max(axis=0))

    def test_frames_of_no_size_are_skipped(self) -> None:
        data = picture(image(0, 0, 0, 5, b""), full_frame(), image(0, 0, 5, 0, b""))
        np.testing.assert_array_equal(in_rgb(data), PALETTE[INDICES])

    def test_of_many_frames_some_are_combined(self) -> None:
        frames = [control(2), *([frame(0, 0, 1, 1, [0])] * 998), control(2), full_frame()]
        assert decode_image(picture(*frames)).shape[:2] == (HEIGHT, WIDTH)

    def test_few_small_frames_are_small(self) -> None:
        assert check_image(picture(*[full_frame()] * 5), ImageLimits()).is_small
        assert not check_image(picture(*[full_frame()] * 50), ImageLimits()).is_small


REFUSED: dict[str, tuple[Callable[[], bytes], type[Exception], str]] = {
    "no frame": (picture, DamagedImageError, "no image"),
    "only frames of no size": (lambda: picture(image(0, 0, 0, 0, b"")), DamagedImageError, "no image"),
    "half a palette": (lambda: picture()[:100], DamagedImageError, "no image"),
    "half a frame": (lambda: picture(full_frame())[:-80], DamagedImageError, "truncated"),
    "half a descriptor": (lambda: picture(full_frame()[:6]), DamagedImageError, "truncated"),
    "too few pixels": (lambda: picture(frame(0, 0, WIDTH, HEIGHT, [1, 2, 3])), DamagedImageError, "decoded"),
    "no pixels": (lambda: picture(image(0, 0, WIDTH, HEIGHT, b"")), DamagedImageError, "decoded"),
    "codes of too many bits": (lambda: picture(image(0, 0, 1, 1, b"\0\0\0", bits=99)), DamagedImageError, "decoded"),
    "an unknown block": (lambda: picture(b"?", full_frame()), DamagedImageError, "unknown type"),
    "many frames": (lambda: picture(*[frame(0, 0, 1, 1, [0])] * 1001), ImageTooLargeError, "1,000 frames"),
    "many extensions": (lambda: picture(b"\x21\xfe\0" * 5001, full_frame()), DamagedImageError, "5,000 extensions"),
    "many blocks": (lambda: picture(b"\x21\xfe" + b"\1a" * 200_001 + b"\0"), DamagedImageError, "200,000 blocks"),
    "a truncated second frame": (lambda: picture(full_frame(), full_frame()[:-9])[:-1], DamagedImageError, "truncated"),
    "frames of many pixels": (
        lambda: gif(2000, 2000, *[image(0, 0, 2000, 2000, b"")] * 5),
        ImageTooLargeError,
        "5 frames of 20,000,000 pixels in total; the limit is 16,000,000",
    ),
}


@pytest.mark.parametrize(("make", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_files_without_a_valid_image_are_refused(make: Callable[[], bytes], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        decode_image(make())
