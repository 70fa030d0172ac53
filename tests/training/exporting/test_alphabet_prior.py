"""Texts of one alphabet are preferred if the picture is ambiguous, and only then."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from tests.properties import examples
from training.drawing.texts import ALPHABET
from training.exporting.alphabet_prior import ALPHABETS, LENGTH_WEIGHT, OTHERS, AlphabetPrior

CODEC = CtcCodec(ALPHABET)


def logits_of(*steps: dict[str, float]) -> NDArray[np.float32]:
    """Return logits (1, steps, classes) with the given probabilities, each step followed by a blank."""
    logits = np.full((1, 2 * len(steps), CODEC.classes), -20.0, np.float32)
    for index, probabilities in enumerate(steps):
        for character, probability in probabilities.items():
            logits[0, 2 * index, ALPHABET.index(character)] = np.log(probability)
        logits[0, 2 * index + 1, CODEC.blank_index] = 0.0
    return logits


def preferred(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(AlphabetPrior(ALPHABET)(logits)))


def text_of(logits: NDArray[np.float32]) -> str:
    return CODEC.decode(np.asarray(keras.ops.convert_to_numpy(keras.ops.softmax(logits))))[0].text


@pytest.mark.parametrize(
    ("unsure", "wanted"),
    [
        ([{"O": 0.7, "0": 0.3}, {"7": 1.0}, {"l": 0.6, "1": 0.4}], "071"),
        ([*({digit: 1.0} for digit in "4071926"), {"l": 0.95, "1": 0.05}], "40719261"),
        ([{"1": 1.0}, {"o": 0.6, "0": 0.4}, {"+": 1.0}, {"3": 1.0}, {"=": 1.0}], "10+3="),
        ([{"T": 1.0}, {"0": 0.55, "o": 0.45}, {"p": 1.0}], "Top"),
        ([{"a": 1.0}, {"4": 1.0}, {"K": 0.6, "k": 0.4}], "a4k"),
    ],
    ids=["digits", "many digits", "a sum", "letters", "one case"],
)
def test_ambiguous_characters_are_read_like_their_neighbours(unsure: list[dict[str, float]], wanted: str) -> None:
    logits = logits_of(*unsure)
    assert text_of(logits) != wanted
    assert text_of(preferred(logits)) == wanted


def test_a_short_text_is_no_reason_to_doubt_a_likely_character() -> None:
    unsure = {"l": 0.95, "1": 0.05}
    assert text_of(preferred(logits_of({"4": 1.0}, unsure))) == "4l"


@given(st.text(ALPHABET, min_size=1, max_size=9))
def test_confident_characters_are_unchanged(text: str) -> None:
    logits = logits_of(*({character: 1.0} for character in text))
    assert text_of(preferred(logits)) == text


@examples(50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_chosen_alphabet_is_the_most_likely_one_of_the_best_path(seed: int, steps: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, (1, steps, CODEC.classes)).astype(np.float32)
    probabilities = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=-1, keepdims=True)
    length = len(CODEC.decode(probabilities[np.newaxis])[0].text)
    best, members = -np.inf, ""
    for alphabet, prior in (*ALPHABETS, (ALPHABET, 0.0)):
        classes = [ALPHABET.index(character) for character in alphabet] + [CODEC.blank_index]
        score = sum(np.log(max(step[index] for index in classes)) for step in probabilities) + prior
        score -= LENGTH_WEIGHT * length * np.log(len(alphabet) / len(ALPHABET))
        if score > best:
            best, members = score, alphabet
    change = preferred(logits) - logits
    for index, character in enumerate(ALPHABET):
        assert change[0, :, index] == pytest.approx(0.0 if character in members else OTHERS, abs=1e-5)
    assert change[0, :, CODEC.blank_index] == pytest.approx(0.0, abs=1e-5)
