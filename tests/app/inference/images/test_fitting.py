import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.inference.images import fit_to_input

SIDES = st.integers(1, 60)


def grey_noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width), dtype=np.uint8)


def colour_noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([1, 3]), st.booleans())
def test_every_image_fits_every_input(
    height: int, width: int, to_height: int, to_width: int, channels: int, coloured: bool
) -> None:
    image = colour_noise(height, width) if coloured else grey_noise(height, width)
    fitted = fit_to_input(image, width=to_width, height=to_height, channels=channels)
    assert fitted.shape == (to_height, to_width, channels)
    assert fitted.dtype == np.uint8
    assert image.min() <= fitted.max()
    assert fitted.min() <= image.max()


def test_pixels_of_the_right_size_are_unchanged() -> None:
    grey, colour = grey_noise(50, 200), colour_noise(50, 200)
    np.testing.assert_array_equal(fit_to_input(grey, width=200, height=50, channels=1)[..., 0], grey)
    np.testing.assert_array_equal(fit_to_input(colour, width=200, height=50, channels=3), colour)


def test_grey_fills_all_three_channels() -> None:
    grey = grey_noise(20, 30)
    fitted = fit_to_input(grey, width=30, height=20, channels=3)
    for channel in range(3):
        np.testing.assert_array_equal(fitted[..., channel], grey)


def test_colours_stay_blue_green_red() -> None:
    image = np.empty((4, 4, 3), np.uint8)
    image[:] = (10, 120, 230)
    fitted = fit_to_input(image, width=8, height=2, channels=3)
    np.testing.assert_array_equal(fitted, np.broadcast_to(np.array([10, 120, 230], np.uint8), (2, 8, 3)))


@pytest.mark.parametrize(
    ("blue_green_red", "grey"),
    [((255, 0, 0), 29), ((0, 255, 0), 150), ((0, 0, 255), 76), ((255, 255, 255), 255), ((0, 0, 0), 0)],
)
def test_colour_becomes_grey_by_luma(blue_green_red: tuple[int, int, int], grey: int) -> None:
    """ITU-R BT.601, like all encoders of grey JPEGs."""
    image = np.full((3, 5, 3), blue_green_red, np.uint8)
    np.testing.assert_array_equal(fit_to_input(image, width=5, height=3, channels=1), np.full((3, 5, 1), grey))


@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize(("down", "across"), [(2, 2), (3, 4), (5, 1), (1, 8)])
def test_shrunk_pixels_are_means_of_the_covered_ones(coloured: bool, down: int, across: int) -> None:
    height, width = 10, 24
    image = colour_noise(height * down, width * across) if coloured else grey_noise(height * down, width * across)
    fitted = fit_to_input(image, width=width, height=height, channels=3 if coloured else 1)
    means = image.reshape(height, down, width, across, -1).astype(float).mean(axis=(1, 3))
    assert np.abs(fitted - means).max() <= 0.5 + 1e-6


def test_a_much_wider_image_keeps_the_shade_of_fine_stripes() -> None:
    stripes = np.zeros((50, 1600), np.uint8)
    stripes[:, ::8] = 255
    fitted = fit_to_input(stripes, width=200, height=50, channels=1)
    np.testing.assert_array_equal(fitted, np.full((50, 200, 1), 32))


def test_enlarged_pixels_lie_between_their_neighbours() -> None:
    ramp = np.tile(np.arange(0, 250, 25, dtype=np.uint8), (6, 1))
    fitted = fit_to_input(ramp, width=40, height=24, channels=1)[..., 0].astype(int)
    steps = np.diff(fitted, axis=1)
    assert steps.min() >= 0
    assert steps.max() <= 7
    assert np.ptp(fitted, axis=0).max() <= 1
    assert (fitted[0, 0], fitted[0, -1]) == (0, 225)
