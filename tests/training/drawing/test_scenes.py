"""Complete pictures of text."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.properties import examples
from training.drawing.scenes import Families, draw_scene
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import Typeface, by_family

QUICK = examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def families(typefaces: list[Typeface]) -> Families:
    return by_family(typefaces)


@QUICK
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_a_picture_has_8_bit_colours_and_a_text_of_the_alphabet(
    families: Families, seed: int, difficulty: float
) -> None:
    picture, text = draw_scene(families, np.random.default_rng(seed), difficulty=difficulty)
    assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.dtype(np.uint8), 3, 3)
    assert picture.shape[0] >= 14
    assert picture.shape[1] >= 8
    assert set(text) <= set(ALPHABET)


@QUICK
@given(st.integers(0, 2**32), st.text(ALPHABET, min_size=1, max_size=12))
def test_a_picture_shows_the_given_text(families: Families, seed: int, text: str) -> None:
    assert draw_scene(families, np.random.default_rng(seed), text)[1] == text


def test_the_same_state_gives_the_same_picture(families: Families) -> None:
    for seed in range(30):
        (one, text), (two, again) = (draw_scene(families, np.random.default_rng(seed)) for _ in range(2))
        assert text == again
        np.testing.assert_array_equal(one, two)


def test_few_pictures_have_no_text_and_almost_all_differ(families: Families) -> None:
    rng = np.random.default_rng(1)
    scenes = [draw_scene(families, rng) for _ in range(500)]
    assert 0 < sum(not text for _, text in scenes) < 50
    assert len({picture.shape for picture, _ in scenes}) > 300


def test_a_text_that_no_typeface_can_show_is_rejected(families: Families) -> None:
    with pytest.raises(ValueError, match="no typeface has all of"):
        draw_scene(families, np.random.default_rng(0), "\U00012000")
