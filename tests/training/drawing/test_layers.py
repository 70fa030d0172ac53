"""Layers of ink compared with their definition, pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from training.drawing.layers import (
    Colour,
    Layer,
    Mask,
    Picture,
    contrasting_colour,
    empty_layer,
    lay_over,
    lightness,
    moved,
    random_colour,
    set_ink,
    smooth_noise,
    sometimes,
)

Floats = NDArray[np.float32]
SIDES = st.integers(1, 6)
SEEDS = st.integers(0, 2**32)


@st.composite
def shares(draw: st.DrawFn, *shape: int) -> Floats:
    """Draw values 0…1, with both ends frequent."""
    return draw(arrays.arrays(np.float32, shape, elements=st.sampled_from([0, 0.25, 0.5, 1])))


def pixel_by_pixel(layer: Layer, mask: Mask, left: int, top: int, colour: Colour | Picture) -> Layer:
    expected = layer.copy()
    for row, column in np.ndindex(*layer.shape[:2]):
        y, x = row - top, column - left
        if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]:
            ink = colour if colour.ndim == 1 else colour[y, x]
            expected[row, column] *= 1 - mask[y, x]
            expected[row, column] += mask[y, x] * np.append(ink, 1)
    return expected


@given(st.data(), SIDES, SIDES, SIDES, SIDES, st.integers(-8, 8), st.integers(-8, 8), st.booleans())
def test_ink_covers_exactly_the_pixels_of_its_mask(
    data: st.DataObject, height: int, width: int, rows: int, columns: int, left: int, top: int, varied: bool
) -> None:
    colour = 255 * data.draw(shares(rows, columns, 3) if varied else shares(3))
    mask = data.draw(shares(rows, columns))
    layer = empty_layer(height, width)
    set_ink(layer, data.draw(shares(height, width)), 0, 0, np.full(3, 90, np.float32))
    expected = pixel_by_pixel(layer, mask, left, top, colour)
    set_ink(layer, mask, left, top, colour)
    np.testing.assert_allclose(layer, expected, rtol=1e-6)
    assert layer.dtype == np.float32


@given(st.data(), SIDES, SIDES)
def test_over_a_background_pixels_are_blended_by_coverage(data: st.DataObject, height: int, width: int) -> None:
    mask, ground = data.draw(shares(height, width)), 255 * data.draw(shares(height, width, 3))
    ink = np.array([10, 100, 200], np.float32)
    layer = empty_layer(height, width)
    set_ink(layer, mask, 0, 0, ink)
    expected = ground + mask[:, :, np.newaxis] * (ink - ground)
    np.testing.assert_allclose(lay_over(ground, layer), expected, atol=1e-4)


def test_a_layer_without_ink_changes_nothing() -> None:
    ground = np.random.default_rng(0).uniform(0, 255, (4, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(lay_over(ground, empty_layer(4, 5)), ground)


def test_pixels_are_displaced_and_the_edge_is_replicated() -> None:
    picture = np.arange(5, dtype=np.float32)[np.newaxis, :, np.newaxis].repeat(2, 0).repeat(3, 2)
    right = moved(picture, np.full((2, 5), 2, np.float32), np.zeros((2, 5), np.float32))
    np.testing.assert_array_equal(right[0, :, 0], [2, 3, 4, 4, 4])


@given(SEEDS, st.integers(1, 40), st.integers(1, 40), st.floats(1, 50))
def test_noise_has_the_requested_size_and_is_within_0_and_1(seed: int, height: int, width: int, cell: float) -> None:
    noise = smooth_noise(height, width, cell, np.random.default_rng(seed))
    assert (noise.shape, noise.dtype) == ((height, width), np.dtype(np.float32))
    assert 0 <= noise.min() <= noise.max() <= 1


@given(SEEDS)
def test_a_colour_has_three_values_within_8_bits(seed: int) -> None:
    colour = random_colour(np.random.default_rng(seed))
    assert (colour.shape, colour.dtype) == ((3,), np.dtype(np.float32))
    assert 0 <= colour.min() <= colour.max() <= 255


@given(SEEDS, st.sampled_from([25.0, 45.0, 70.0, 100.0]))
def test_a_contrasting_colour_stands_out_by_lightness_or_by_one_channel(seed: int, min_difference: float) -> None:
    rng = np.random.default_rng(seed)
    ground = random_colour(rng)
    colour = contrasting_colour(ground, min_difference, rng)
    apart = abs(lightness(colour) - lightness(ground))
    assert apart >= min_difference or (
        apart >= min_difference / 3 and np.abs(colour - ground).max() >= 2.2 * min_difference
    )


@pytest.mark.parametrize(("colour", "light"), [((0, 0, 0), 0), ((255, 255, 255), 255), ((0, 255, 0), 149.685)])
def test_lightness_follows_perception(colour: tuple[int, int, int], light: float) -> None:
    assert lightness(np.array(colour, np.float32)) == pytest.approx(light, rel=1e-5)


def test_changes_are_applied_in_order_with_their_probability() -> None:
    picture = np.ones((1, 1, 3), np.float32)
    changes = ((1.0, lambda p, _: p + 1), (0.0, lambda p, _: p * 100), (1.0, lambda p, _: p * 10))
    assert (sometimes(changes, picture, np.random.default_rng(0)) == 20).all()
