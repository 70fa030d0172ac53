"""Combination of the frames of an animation."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.images.composition import compose

HEIGHT, WIDTH, FRAMES = 40, 120, 6
Frames = NDArray[np.uint8]


def strokes(ink: int, ground: int) -> NDArray[np.uint8]:
    """Draw bars and rings like those of letters."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(rows - 20, columns % 24 - 12)
    inked = (distance > 6) & (distance < 10) & (columns // 24 != 1)
    return np.where(inked, ink, ground).astype(np.uint8)


def hidden(picture: NDArray[np.uint8], grey: int) -> Frames:
    """Hide a third of the width in each frame."""
    frames = np.repeat(picture[np.newaxis], FRAMES, axis=0)
    for number, frame in enumerate(frames):
        start = number * WIDTH // FRAMES - WIDTH // 6
        frame[:, max(0, start) : start + WIDTH // 3] = grey
    return frames


def revealed(picture: NDArray[np.uint8], grey: int) -> Frames:
    """Show a sixth of the width in each frame."""
    frames = np.full((FRAMES, HEIGHT, WIDTH), grey, np.uint8)
    for number, frame in enumerate(frames):
        part = slice(number * WIDTH // FRAMES, (number + 1) * WIDTH // FRAMES)
        frame[:, part] = picture[:, part]
    return frames


INKS = pytest.mark.parametrize(("ink", "ground"), [(0, 255), (30, 200), (255, 0), (230, 90)])


@INKS
def test_partly_hidden_frames_are_combined(ink: int, ground: int) -> None:
    picture = strokes(ink, ground)
    np.testing.assert_array_equal(compose(hidden(picture, ground)), picture)


@INKS
def test_frames_that_show_pieces_are_combined(ink: int, ground: int) -> None:
    picture = strokes(ink, ground)
    np.testing.assert_array_equal(compose(revealed(picture, ground)), picture)


def test_a_black_bar_over_black_text_is_removed() -> None:
    picture = strokes(0, 255)
    np.testing.assert_array_equal(compose(hidden(picture, 0)), picture)


def test_a_moving_window_in_black_shows_the_whole_text() -> None:
    picture = strokes(30, 255)
    np.testing.assert_array_equal(compose(revealed(picture, 0)), picture)


def test_changing_noise_is_removed() -> None:
    picture = strokes(0, 255)
    noise = np.random.default_rng(0).random((9, HEIGHT, WIDTH)) < 0.04
    np.testing.assert_array_equal(compose(np.where(noise, 0, picture).astype(np.uint8)), picture)


def test_for_a_moving_text_one_frame_is_chosen() -> None:
    picture = strokes(0, 255)
    frames = np.stack([np.roll(picture, shift, axis=(0, 1)) for shift in [(0, 0), (3, 7), (-2, 15), (4, -9)]])
    assert any((compose(frames) == frame).all() for frame in frames)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_frames_stay_blank(value: int) -> None:
    blank = np.full((3, HEIGHT, WIDTH), value, np.uint8)
    np.testing.assert_array_equal(compose(blank), blank[0])


def test_identical_frames_give_that_frame() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), dtype=np.uint8)
    np.testing.assert_array_equal(compose(np.repeat(frames, 4, axis=0)), frames[0])


def test_colours_are_kept() -> None:
    red_on_yellow = np.full((HEIGHT, WIDTH, 3), (0, 255, 255), np.uint8)
    red_on_yellow[strokes(0, 255) == 0] = (0, 0, 200)
    frames = np.repeat(red_on_yellow[np.newaxis], 2, axis=0)
    frames[0, :, : WIDTH // 2] = frames[1, :, WIDTH // 2 :] = (0, 255, 255)
    np.testing.assert_array_equal(compose(frames), red_on_yellow)


@pytest.mark.parametrize("shape", [(2, 1, 1), (3, 1, 50), (5, 50, 1), (2, 3, 3, 3)])
def test_the_smallest_frames_are_combined(shape: tuple[int, ...]) -> None:
    frames = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    assert compose(frames).shape == shape[1:]
