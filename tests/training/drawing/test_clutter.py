"""Clutter that hides letters."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.drawing.clutter import add_clutter
from training.drawing.layers import Picture
from training.drawing.typefaces import Typeface

INK = np.array([10, 20, 30], np.float32)


def cluttered(face: Typeface, seed: int, height: int = 40, width: int = 120) -> Picture:
    return add_clutter(np.full((height, width, 3), 200, np.float32), [INK], [face], np.random.default_rng(seed))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.integers(8, 90), st.integers(8, 400))
def test_clutter_keeps_the_size_and_the_range_of_8_bits(
    typefaces: list[Typeface], seed: int, height: int, width: int
) -> None:
    picture = cluttered(typefaces[0], seed, height, width)
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.dtype(np.float32))
    assert -1e-3 <= picture.min() <= picture.max() <= 255.001


def test_clutter_hides_a_part_but_rarely_most(typefaces: list[Typeface]) -> None:
    changed = [(cluttered(typefaces[0], seed) != 200).any(axis=2).mean() for seed in range(100)]
    assert np.mean(np.array(changed) > 0) > 0.95
    assert np.median(changed) < 0.5


def test_the_same_state_gives_the_same_clutter(typefaces: list[Typeface]) -> None:
    for seed in range(20):
        np.testing.assert_array_equal(cluttered(typefaces[0], seed), cluttered(typefaces[0], seed))
