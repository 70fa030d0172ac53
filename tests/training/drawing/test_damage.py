"""Degradations of pictures."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drawing.damage import degrade, photograph, warp
from training.drawing.layers import Picture

SEEDS = st.integers(0, 2**32)
Damage = Callable[[Picture, np.random.Generator], Picture]
both = pytest.mark.parametrize("damage", [degrade, photograph])


def drawn(height: int, width: int) -> Picture:
    picture = np.full((height, width, 3), 230, np.float32)
    picture[height // 4 : -height // 4, width // 4 : -width // 4] = (20, 40, 60)
    return picture


@both
@given(SEEDS, st.integers(18, 90), st.integers(12, 400))
def test_a_degraded_picture_keeps_its_size_and_the_range_of_8_bits(
    damage: Damage, seed: int, height: int, width: int
) -> None:
    degraded = damage(drawn(height, width), np.random.default_rng(seed))
    assert (degraded.shape, degraded.dtype) == ((height, width, 3), np.dtype(np.float32))
    assert 0 <= degraded.min() <= degraded.max() <= 255


@both
def test_most_degradations_keep_dark_areas_darker(damage: Damage) -> None:
    readable = []
    for seed in range(100):
        degraded = damage(drawn(40, 120), np.random.default_rng(seed))
        readable.append(degraded[15:25, 40:80].mean() + 15 < degraded[:6].mean())
    assert np.mean(readable) > 0.85


@given(SEEDS, st.integers(8, 90), st.integers(12, 400))
def test_a_warped_layer_keeps_its_size_and_its_bounds(seed: int, height: int, width: int) -> None:
    layer = np.random.default_rng(1).random((height, width, 4), np.float32)
    warped = warp(layer, np.random.default_rng(seed))
    assert (warped.shape, warped.dtype) == (layer.shape, np.dtype(np.float32))
    assert layer.min() - 1e-3 <= warped.min() <= warped.max() <= layer.max() + 1e-3


def test_letters_are_warped_by_less_than_a_third_of_the_height() -> None:
    height, width = 60, 200
    places = np.stack([*np.indices((height, width), np.float32), *np.zeros((2, height, width), np.float32)], axis=2)
    moves = [np.abs(warp(places, np.random.default_rng(seed)) - places).max() for seed in range(60)]
    assert min(moves) > 0
    assert max(moves) < height / 3


@both
def test_the_same_state_gives_the_same_damage(damage: Damage) -> None:
    for seed in range(20):
        one, two = (damage(drawn(40, 90), np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one, two)
