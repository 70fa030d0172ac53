"""Error rates compared with a slow reference implementation."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.metrics import aligned, character_error_rate, character_errors, confusions, word_error_rate

texts = st.text("abc", max_size=7)


def reference_distance(one: str, two: str) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (one[i - 1] != two[j - 1]))

    return distance(len(one), len(two))


@given(texts, texts)
def test_character_errors_are_the_levenshtein_distance(label: str, prediction: str) -> None:
    assert character_errors(label, prediction) == reference_distance(label, prediction)


@given(texts, texts)
def test_there_are_as_many_confusions_as_errors(label: str, prediction: str) -> None:
    counted = sum(count for _, _, count in confusions([label], [prediction]))
    assert counted == character_errors(label, prediction)


@given(texts, texts)
def test_the_alignment_has_both_texts_in_order_and_the_fewest_errors(label: str, prediction: str) -> None:
    pairs = aligned(label, prediction)
    assert "".join(wanted for wanted, _ in pairs) == label
    assert "".join(got for _, got in pairs) == prediction
    assert sum(wanted != got for wanted, got in pairs) == character_errors(label, prediction)
    assert ("", "") not in pairs


def test_cer_is_computed_over_all_characters() -> None:
    assert character_error_rate(["abcd", "ab"], ["abxd", "ab"]) == pytest.approx(1 / 6)


def test_wer_counts_texts_with_any_error() -> None:
    assert word_error_rate(["ab", "cd", "ef"], ["ab", "cx", ""]) == pytest.approx(2 / 3)


def test_confusions_are_sorted_by_frequency() -> None:
    labels, predictions = ["b5", "b6", "ab", "a"], ["65", "66", "a", "ax"]
    assert confusions(labels, predictions) == [("b", "6", 2), ("", "x", 1), ("b", "", 1)]


def test_texts_and_labels_must_have_equal_length() -> None:
    with pytest.raises(ValueError, match="zip"):
        character_error_rate(["a"], [])
