"""The vote of several readings of one image."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.ctc import Alternative, Decoded, Span
from app.inference.decoding.sums import Sum
from app.inference.decoding.vote import has_majority, unzoomed, vote
from app.inference.images import zoom

CONFIDENCES = st.floats(0, 1, width=16)
READINGS = st.lists(st.tuples(st.sampled_from(["", "a", "b", "ab"]), CONFIDENCES), min_size=1, max_size=6)


def reading(text: str, confidence: float, step: int = 0) -> Decoded:
    spans = tuple(Span(character, confidence, step + at, step + at) for at, character in enumerate(text))
    return Decoded(text, confidence, spans)


def with_alternatives(*texts: tuple[str, float]) -> Decoded:
    best, *_ = alternatives = [Alternative(*text) for text in texts]
    return Decoded(best.text, best.confidence, (), tuple(alternatives))


@given(READINGS)
def test_the_text_with_the_largest_sum_of_confidences_wins(votes: list[tuple[str, float]]) -> None:
    totals = {text: sum(confidence for other, confidence in votes if other == text) for text, _ in votes}
    result = vote([reading(*one) for one in votes])
    assert totals[result.text] == pytest.approx(max(totals.values()))
    assert 0 <= result.confidence <= 1


def test_a_majority_is_as_confident_as_its_readings() -> None:
    assert vote([reading("a", 0.5), reading("b", 0.4), reading("a", 0.7)]).confidence == pytest.approx(0.6)


def test_without_a_majority_the_others_lower_the_confidence() -> None:
    result = vote([reading("a", 0.6), reading("b", 0.4), reading("c", 0.5)])
    assert result.text == "a"
    assert result.confidence == pytest.approx(0.2)


def test_one_reading_alone_stays_as_it_is() -> None:
    only = reading("ab", 0.3)
    assert vote([only]) == only


def test_characters_are_those_of_the_first_reading_with_the_text() -> None:
    assert vote([reading("b", 0.4), reading("a", 0.5, 3), reading("a", 0.7, 5)]).spans == reading("a", 0.5, 3).spans


@given(READINGS, st.integers(1, 7))
def test_a_majority_is_certain_when_missing_readings_cannot_change_it(
    votes: list[tuple[str, float]], missing: int
) -> None:
    texts = [text for text, _ in votes]
    longest = max(len(list(group)) for _, group in groupby(sorted(texts)))
    of = len(votes) + missing
    assert has_majority([reading(*one) for one in votes], of) == (longest > of - longest)


def test_alternatives_share_what_the_text_leaves() -> None:
    result = vote([with_alternatives(("a", 0.8), ("b", 0.2)), with_alternatives(("b", 0.6), ("c", 0.4))])
    assert [other.text for other in result.alternatives] == ["a", "b"]
    assert [other.confidence for other in result.alternatives] == pytest.approx([0.4, 0.4])


def test_alternatives_have_their_mean_confidence_and_follow_the_text() -> None:
    result = vote(
        [
            with_alternatives(("a", 0.6), ("b", 0.3)),
            with_alternatives(("a", 0.5), ("c", 0.4)),
            with_alternatives(("b", 0.6), ("a", 0.2)),
        ]
    )
    assert [other.text for other in result.alternatives] == ["a", "b"]
    assert [other.confidence for other in result.alternatives] == pytest.approx([0.55, 0.3])


@given(st.lists(st.lists(CONFIDENCES, min_size=3, max_size=3).map(sorted), min_size=1, max_size=5), st.randoms())
def test_alternatives_are_probabilities_best_first(confidences: list[list[float]], random: np.random.Generator) -> None:
    readings = []
    for each in confidences:
        texts = ["a", "b", "c"]
        random.shuffle(texts)
        total = max(1.0, sum(each))
        readings.append(with_alternatives(*zip(texts, (one / total for one in reversed(each)), strict=True)))
    result = vote(readings)
    found = [other.confidence for other in result.alternatives]
    assert (result.text, result.confidence) == (result.alternatives[0].text, found[0])
    assert len({other.text for other in result.alternatives}) == 3
    assert found == sorted(found, reverse=True)
    assert sum(found) <= 1 + 1e-9


def test_values_of_sums_have_their_own_vote() -> None:
    sums = [Sum(8, 0.5), Sum(None, 0.0), Sum(8, 0.7)]
    readings = [Decoded(text, 0.4, (), sum=value) for text, value in zip(("10-2=", "102=", "8+0="), sums, strict=True)]
    result = vote(readings).sum
    assert result is not None
    assert result.value == 8
    assert result.confidence == pytest.approx(0.6)


@pytest.mark.parametrize("factor", [0.87, 0.93, 1.07, 1.15])
@pytest.mark.parametrize("step", [5, 12, 20, 34])
def test_characters_of_a_zoomed_copy_are_where_they_are_in_the_original(factor: float, step: int) -> None:
    steps, columns_per_step = 40, 4
    original = np.zeros((48, steps * columns_per_step, 1), np.uint8)
    original[:, columns_per_step * step : columns_per_step * (step + 1)] = 255
    columns = zoom(original, factor)[24, :, 0].astype(float)
    seen = int(np.average(np.arange(len(columns)), weights=columns) / columns_per_step)
    (span,) = unzoomed(Decoded("a", 1.0, (Span("a", 1.0, seen, seen),)), factor, steps).spans
    assert abs(span.first_step - step) <= 1


def test_characters_that_a_copy_sees_beyond_the_edge_stay_inside() -> None:
    spans = (Span("a", 1.0, 0, 1), Span("b", 1.0, 38, 39))
    first, last = unzoomed(Decoded("ab", 1.0, spans), 0.87, 40).spans
    assert (first.first_step, last.last_step) == (0, 39)
