"""Texts to draw: short, of many kinds, and only with the general model's characters."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drawing.texts import ALPHABET, random_digits, random_reading, random_text

SEEDS = st.integers(0, 2**32)


def many(draw: Callable[[np.random.Generator], str], count: int = 4_000) -> list[str]:
    rng = np.random.default_rng(0)
    return [draw(rng) for _ in range(count)]


def test_no_character_is_twice_in_the_alphabet() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET)


@given(SEEDS)
def test_a_text_is_one_to_twelve_characters_of_the_alphabet(seed: int) -> None:
    text = random_text(np.random.default_rng(seed))
    assert 1 <= len(text) <= 12
    assert set(text) <= set(ALPHABET)


def test_texts_use_the_whole_alphabet_and_differ() -> None:
    texts = many(random_text)
    assert set("".join(texts)) == set(ALPHABET)
    assert len(set(texts)) > len(texts) / 2


@pytest.mark.parametrize(
    "kind", [r"\d{4,}", r"[A-Z]{4,}", r"[a-z]{4,}", r"\d+[+-]\d+=\?", r"[A-Z]{2}-\d{3}-[A-Z]{2}", r"[A-Z][a-z]{3,}"]
)
def test_texts_are_codes_numbers_sums_plates_and_words(kind: str) -> None:
    assert any(re.fullmatch(kind, text) for text in many(random_text))


@given(SEEDS, st.integers(1, 5), st.integers(0, 5))
def test_the_number_of_digits_is_within_the_bounds(seed: int, fewest: int, more: int) -> None:
    text = random_digits(np.random.default_rng(seed), fewest, fewest + more)
    assert re.fullmatch(rf"[0-9]{{{fewest},{fewest + more}}}", text)


def test_digits_sometimes_have_leading_zeros() -> None:
    texts = many(lambda rng: random_digits(rng, 5, 5), 400)
    assert 0.1 < np.mean([text.startswith("00") for text in texts]) < 0.5


@given(SEEDS)
def test_a_reading_is_a_number_with_at_most_one_separator(seed: int) -> None:
    assert re.fullmatch(r"-?\d+([.,:]\d+)?", random_reading(np.random.default_rng(seed)))


@pytest.mark.parametrize("draw", [random_text, random_reading])
def test_the_same_state_gives_the_same_text(draw: Callable[[np.random.Generator], str]) -> None:
    assert many(draw, 50) == many(draw, 50)
