"""Random augmentation of training images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drawing.draw import draw_captcha
from training.fitting.augment import augment


@given(
    st.integers(0, 2**32),
    st.sampled_from([(50, 200, 1), (50, 200, 3), (8, 8, 1), (31, 77, 3), (128, 512, 1)]),
    st.floats(0, 1),
)
def test_an_image_keeps_its_shape_and_type(seed: int, shape: tuple[int, int, int], strength: float) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    changed = augment(image, rng, strength)
    assert changed.shape == shape
    assert changed.dtype == np.uint8
    assert not np.shares_memory(changed, image)
    np.testing.assert_array_equal(image, before)


def test_the_same_state_gives_the_same_image() -> None:
    image = draw_captcha("2b827", seed=0)[..., np.newaxis]
    one, two, other = (augment(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_strength_zero_changes_nothing() -> None:
    image = draw_captcha("2b827", seed=0)[..., np.newaxis]
    np.testing.assert_array_equal(augment(image, np.random.default_rng(0), 0.0), image)


def test_colours_change_and_greys_stay_grey() -> None:
    grey = draw_captcha("2b827", seed=0)[..., np.newaxis]
    colour = np.repeat(grey, 3, axis=2)
    casts = [np.ptp(augment(colour, np.random.default_rng(seed)).mean(axis=(0, 1))) for seed in range(50)]
    assert min(casts) < 5  # some images are not tinted
    assert max(casts) > 20


@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_the_text_stays_in_the_image(strength: float) -> None:
    image = draw_captcha("2b827", seed=0)[..., np.newaxis]
    ink = (image < 100).mean()  # dark on light; augmentation may invert it
    rng = np.random.default_rng(0)
    changed = [augment(image, rng, strength) for _ in range(50)]
    inks = [(np.abs(one - np.median(one)) > 60).mean() for one in changed]
    assert min(inks) > 0.3 * ink


def test_more_strength_changes_more() -> None:
    image = draw_captcha("2b827", seed=0)[..., np.newaxis]

    def change(strength: float) -> float:
        rng = np.random.default_rng(0)
        return float(np.mean([np.abs(augment(image, rng, strength).astype(int) - image).mean() for _ in range(40)]))

    assert change(0.1) < change(0.5) < change(1.0)
