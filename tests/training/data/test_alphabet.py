"""Characters that few labels happen not to show."""

import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.shapes import shape_of
from training.data.alphabet import expected_counts, unseen_characters

LABELS = st.lists(st.text("0129abxyABé-日", max_size=6), max_size=12)


@given(LABELS)
def test_unseen_characters_complete_an_alphabet_of_which_a_character_was_seen_once(labels: list[str]) -> None:
    counts = Counter("".join(labels))
    unseen = unseen_characters(labels)
    for alphabet in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        once = [character for character in alphabet if counts[character] == 1]
        missing = set(alphabet) - set(counts)
        assert set(alphabet) & set(unseen) == (missing if once else set())
        assert sum(unseen.get(character, 0) for character in alphabet) == pytest.approx(len(once) if missing else 0)
    assert set(unseen) <= set(string.digits + string.ascii_letters) - set(counts)


@pytest.mark.parametrize("labels", [[], [""], ["77", "1221"], ["日本"], ["k-Wk-W"]])
def test_characters_that_all_occur_again_are_taken_as_complete(labels: list[str]) -> None:
    assert unseen_characters(labels) == {}


def test_each_alphabet_is_completed_by_itself() -> None:
    assert set(unseen_characters(["1a", "2b", "1b", "2c"])) == set(string.ascii_lowercase) - set("abc")
    assert unseen_characters(["012345678", "01234567"]) == {"9": 1.0}


@given(LABELS)
def test_expected_counts_keep_the_order_and_the_sum_of_each_kind(labels: list[str]) -> None:
    counts = Counter("".join(labels))
    expected = expected_counts(counts)
    assert expected.keys() == counts.keys()
    for kind in set(map(shape_of, counts)):
        seen = sorted((one for one in counts if shape_of(one) == kind), key=lambda character: counts[character])
        numbers = [expected[character] for character in seen]
        assert numbers == pytest.approx(sorted(numbers))
        assert sum(numbers) == pytest.approx(sum(counts[character] for character in seen))
        assert all(number > 0 for number in numbers)


def test_counts_that_differ_by_chance_are_expected_to_be_equal() -> None:
    assert set(expected_counts({"1": 1, "2": 3, "3": 2, "a": 9}).values()) == {2.0, 9.0}


def test_counts_that_differ_by_more_than_chance_are_expected_again() -> None:
    expected = expected_counts({"0": 500, "1": 20, "2": 30})
    assert expected == pytest.approx({"0": 500, "1": 20, "2": 30}, abs=2)
