"""Backgrounds of text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.drawing.grounds import ground_of, random_base


@given(st.integers(0, 2**32), st.integers(8, 90), st.integers(8, 400))
def test_a_background_has_the_requested_size_and_the_range_of_8_bits(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    ground = ground_of(random_base(rng), height, width, rng)
    assert (ground.shape, ground.dtype) == ((height, width, 3), np.dtype(np.float32))
    assert 0 <= ground.min() <= ground.max() <= 255


def test_backgrounds_are_plain_or_textured_and_roughly_keep_their_colour() -> None:
    base = np.array([200, 180, 160], np.float32)
    grounds = [ground_of(base, 30, 100, np.random.default_rng(seed)) for seed in range(200)]
    plain = [(ground == base).all() for ground in grounds]
    assert 0.2 < np.mean(plain) < 0.5
    assert np.mean([np.abs(np.median(ground, axis=(0, 1)) - base).max() < 60 for ground in grounds]) > 0.9


def test_half_of_the_backgrounds_are_light() -> None:
    rng = np.random.default_rng(0)
    assert 0.4 < np.mean([random_base(rng).mean() > 180 for _ in range(500)]) < 0.8
