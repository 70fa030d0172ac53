"""A text set in type: a layer that just fits its ink."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.properties import examples
from training.drawing.layers import Layer
from training.drawing.setting import Setting, random_inks, random_setting, set_text
from training.drawing.typefaces import Typeface

ORDERLY = Setting(
    size=40, gap=0.1, by_advance=False, stretch=1, jitter=0, angle=0, shear=0, bend=0, slope=0, smooth=True
)
WHITE = np.full(3, 255, np.float32)


def set_in(face: Typeface, text: str, setting: Setting, seed: int = 0) -> Layer:
    rng = np.random.default_rng(seed)
    return set_text(text, [face] * len(text), setting, random_inks(len(text), WHITE, 70, rng), rng)


@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.text("aW1.g@", min_size=1, max_size=8), st.floats(10, 90))
def test_a_layer_has_ink_at_its_edges_and_values_in_range(
    typefaces: list[Typeface], seed: int, text: str, size: float
) -> None:
    layer = set_in(typefaces[0], text, random_setting(size, np.random.default_rng(seed)), seed)
    assert (layer.ndim, layer.shape[2], layer.dtype) == (3, 4, np.dtype(np.float32))
    assert layer.min() >= -1e-3
    assert layer[:, :, 3].max() <= 1 + 1e-3
    assert layer[:, :, :3].max() <= 255.5
    inked = layer[:, :, 3] > 0.05
    assert layer.shape[:2] == (1, 1) or all(edge.any() for edge in (inked[0], inked[-1], inked[:, 0], inked[:, -1]))


def test_longer_texts_are_wider_and_larger_ones_higher(typefaces: list[Typeface]) -> None:
    short, long = (set_in(typefaces[0], text, ORDERLY) for text in ("HH", "HHHH"))
    large = set_in(typefaces[0], "HH", replace(ORDERLY, size=80))
    assert long.shape[1] == pytest.approx(2 * short.shape[1], rel=0.15)
    assert large.shape[0] == pytest.approx(2 * short.shape[0], rel=0.15)


def test_letters_are_in_the_order_of_the_text(typefaces: list[Typeface]) -> None:
    thin_first, thin_last = (set_in(typefaces[0], text, ORDERLY, seed=2)[:, :, 3].sum(axis=0) for text in ("iM", "Mi"))
    middle = len(thin_first) // 2
    assert thin_first[:middle].sum() < thin_first[middle:].sum()
    assert thin_last[:middle].sum() > thin_last[middle:].sum()


def test_the_same_state_sets_the_same_text(typefaces: list[Typeface]) -> None:
    setting = random_setting(40, np.random.default_rng(5))
    np.testing.assert_array_equal(set_in(typefaces[0], "aB3", setting, 7), set_in(typefaces[0], "aB3", setting, 7))
