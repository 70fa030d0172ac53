"""Texts are weighed by their shapes; compared with all texts of an image."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.beam import Search, search_texts
from app.inference.decoding.constraints import make_constraint
from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.shapes import Shapes, shape_of
from tests.app.inference.decoding.brute_force import Probabilities, texts_by_brute_force

VOCAB = "a1."
SHAPES = st.dictionaries(st.text("0a.", min_size=1, max_size=3), st.floats(0.01, 0.24), min_size=1, max_size=4)


def image_of(seed: int, steps: int, classes: int = len(VOCAB) + 1) -> Probabilities:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), size=steps)


def weight(shapes: dict[str, float], text: str) -> float:
    """Return the weight of a text of this shape relative to the most probable shape."""
    rest = (1 - math.fsum(shapes.values())) / (len(shapes) + 1)
    return min(1.0, shapes.get(shape_of(text), rest) / max(shapes.values()))


@pytest.mark.parametrize(
    ("text", "fine", "coarse"),
    [
        ("2b827", "0a000", "xxxxx"),
        ("AB-123 c", "AA-000 a", "xx-xxx x"),
        ("10-2=", "00-0=", "xx-x="),
        ("字é٣ß", "xa0a", "xxxx"),
        ("", "", ""),
    ],
)
def test_a_shape_has_the_positions_of_digits_letters_and_other_characters(text: str, fine: str, coarse: str) -> None:
    assert shape_of(text) == fine
    assert shape_of(text, coarse=True) == coarse


@given(SHAPES, st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_no_text_less_probable_than_the_greedy_one_is_read(shapes: dict[str, float], seed: int, steps: int) -> None:
    image, codec = image_of(seed, steps), CtcCodec(VOCAB, prior=Shapes(shapes))
    likely = defaultdict(float, texts_by_brute_force(image, codec))
    greedy = CtcCodec(VOCAB).decode(image[np.newaxis])[0].text
    (decoded,) = codec.decode(image[np.newaxis])
    assert likely[decoded.text] * weight(shapes, decoded.text) >= likely[greedy] * weight(shapes, greedy) * (1 - 1e-5)
    assert 0 <= decoded.confidence <= 1
    assert "".join(span.character for span in decoded.spans) == decoded.text


@given(SHAPES, st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_confidence_of_a_text_is_relative_to_all_others(shapes: dict[str, float], seed: int, steps: int) -> None:
    image, prior = image_of(seed, steps), Shapes(shapes)
    codec = CtcCodec(VOCAB, prior=prior)
    likely = texts_by_brute_force(image, codec)
    weighed = prior.weigh(codec, likely, image)
    total = math.fsum(likelihood * weight(shapes, text) for text, likelihood in likely.items())
    assert list(weighed.values()) == sorted(weighed.values(), reverse=True)
    for text, likelihood in likely.items():
        assert weighed[text] == pytest.approx(likelihood * weight(shapes, text) / total, abs=1e-9)


def sure_of(path: str, sure: float) -> Probabilities:
    """Return uncertain probabilities of these characters, or of the blank (_)."""
    image = np.full((1, len(path), len(VOCAB) + 1), (1 - sure) / len(VOCAB))
    for step, character in enumerate(path):
        image[0, step, (VOCAB + "_").index(character)] = sure
    return image


def test_an_extra_character_is_dropped_if_doubtful() -> None:
    codec = CtcCodec(VOCAB, prior=Shapes({"00": 0.98}))
    image = sure_of("1_1_1", 0.9)
    image[0, 4] = (0.05, 0.5, 0.0, 0.45)
    assert CtcCodec(VOCAB).decode(image)[0].text == "111"
    (decoded,) = codec.decode(image)
    assert decoded.text == "11"
    assert [span.first_step for span in decoded.spans] == [0, 2]
    assert codec.decode(sure_of("1_1_1", 1.0))[0].text == "111"


def test_a_missing_character_is_found_if_probable() -> None:
    image = sure_of("1__", 0.9)
    image[0, 2] = (0.0, 0.4, 0.1, 0.5)
    assert CtcCodec(VOCAB).decode(image)[0].text == "1"
    assert CtcCodec(VOCAB, prior=Shapes({"00": 0.98})).decode(image)[0].text == "11"


def test_a_certain_text_of_the_usual_shape_keeps_its_confidence() -> None:
    image = sure_of("1_1", 0.99)
    (expected,) = CtcCodec(VOCAB).decode(image)
    assert CtcCodec(VOCAB, prior=Shapes({"00": 0.9, "0": 0.05})).decode(image) == [expected]


def test_shapes_that_do_not_fit_the_vocabulary_or_the_steps_are_ignored() -> None:
    codec = CtcCodec("1", prior=Shapes({"aaaa": 0.5, "0" * 9: 0.45}))
    for seed in range(20):
        assert set(codec.decode(image_of(seed, 3, 2)[np.newaxis])[0].text) <= {"1"}


def test_alternatives_are_weighed_and_stay_within_their_constraint() -> None:
    codec = CtcCodec(VOCAB, prior=Shapes({"00": 0.9}))
    constraint = make_constraint(codec, 6, length=3, charset=None, pattern=None)
    for seed in range(50):
        (found,) = search_texts(codec, image_of(seed, 6)[np.newaxis], 1.0, Search(constraint, alternatives=9))
        assert all(len(other.text) == 3 for other in found.alternatives)
        assert found.text == found.alternatives[0].text
