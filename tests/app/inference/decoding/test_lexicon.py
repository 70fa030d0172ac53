"""Known texts are weighed by Bayes' theorem; compared with all texts of an image."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.beam import Search, search_texts
from app.inference.decoding.constraints import make_constraint
from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.lexicon import Lexicon
from tests.app.inference.decoding.brute_force import Probabilities, texts_by_brute_force

TEXTS = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)
LEXICONS = st.builds(Lexicon, TEXTS, st.floats(0.05, 0.95))
LEXICON = Lexicon(["cab", "bac"], 0.9)


def prior(lexicon: Lexicon, text: str) -> float:
    """Compute the prior by its definition, character by character."""
    if text in lexicon.texts:
        return lexicon.probability / len(lexicon.texts)
    known = [f"^{known}$" for known in lexicon.texts]
    followers = {second for other in known for second in other[1:]}
    product = 1 - lexicon.probability
    for pair in itertools.pairwise(f"^{text}$"):
        seen = sum(following == pair for other in known for following in itertools.pairwise(other))
        first = sum(other[:-1].count(pair[0]) for other in known)
        product *= (seen + 1) / (first + len(followers) + 1)
    return product


def image_of(seed: int, steps: int) -> Probabilities:
    return np.random.default_rng(seed).dirichlet(np.full(4, 0.4), size=steps)


@given(LEXICONS, st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_most_probable_of_the_greedy_text_and_the_known_ones_is_read(
    lexicon: Lexicon, seed: int, steps: int
) -> None:
    image, codec = image_of(seed, steps), CtcCodec("abc", prior=lexicon)
    greedy = CtcCodec("abc").decode(image[np.newaxis])[0].text
    likely = texts_by_brute_force(image, codec)
    weighed = {text: likely.get(text, 0.0) * prior(lexicon, text) for text in (greedy, *lexicon.texts)}
    (decoded,) = codec.decode(image[np.newaxis])
    assert weighed[decoded.text] == pytest.approx(max(weighed.values()), rel=1e-5)
    assert 0 < decoded.confidence <= 1
    assert "".join(span.character for span in decoded.spans) == decoded.text


@given(LEXICONS, st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_probabilities_of_texts_are_in_proportion_to_bayes_theorem(lexicon: Lexicon, seed: int, steps: int) -> None:
    image, codec = image_of(seed, steps), CtcCodec("abc", prior=lexicon)
    likely = texts_by_brute_force(image, codec)
    weighed = lexicon.weigh(codec, likely, image)
    assert math.fsum(weighed.values()) == pytest.approx(1)  # since all texts are listed
    total = math.fsum(likelihood * prior(lexicon, text) for text, likelihood in likely.items())
    for text, likelihood in likely.items():
        assert weighed[text] == pytest.approx(likelihood * prior(lexicon, text) / total, abs=1e-9)


def test_a_doubtful_image_reads_as_a_known_text_and_a_clear_one_as_its_own() -> None:
    codec = CtcCodec("abc", prior=LEXICON)
    doubtful = np.array([[[0.3, 0.2, 0.4, 0.1], [0.4, 0.5, 0.1, 0], [0.1, 0.4, 0.5, 0]]])
    clear = np.array([[[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]])
    assert CtcCodec("abc").decode(doubtful)[0].text == "cbc"
    assert codec.decode(doubtful)[0].text == "cab"
    assert codec.decode(clear)[0].text == "cba"


def test_a_blank_image_stays_empty() -> None:
    blank = np.array([[[0.0, 0.0, 0.0, 1.0]] * 5])
    (decoded,) = CtcCodec("abc", prior=LEXICON).decode(blank)
    assert (decoded.text, decoded.spans) == ("", ())


def test_a_known_text_that_does_not_fit_the_steps_is_not_read() -> None:
    codec = CtcCodec("abc", prior=Lexicon(["aabbccaabbcc"], 0.99))
    assert codec.decode(image_of(0, 3)[np.newaxis])[0].text != "aabbccaabbcc"


def test_alternatives_are_weighed() -> None:
    codec = CtcCodec("abc", prior=LEXICON)
    for seed in range(50):
        image = image_of(seed, 6)[np.newaxis]
        everything = make_constraint(codec, 6, length=None, charset=None, pattern=None)
        (found,) = search_texts(codec, image, 1.0, Search(everything, alternatives=5))
        confidences = [other.confidence for other in found.alternatives]
        assert found.text == found.alternatives[0].text
        assert confidences == sorted(confidences, reverse=True)


def test_known_texts_that_a_constraint_does_not_allow_are_not_read() -> None:
    codec = CtcCodec("abc", prior=LEXICON)
    constraint = make_constraint(codec, 6, length=3, charset="ab", pattern=None)
    for seed in range(50):
        (found,) = search_texts(codec, image_of(seed, 6)[np.newaxis], 1.0, Search(constraint, alternatives=9))
        assert all(len(other.text) == 3 and set(other.text) <= set("ab") for other in found.alternatives)
