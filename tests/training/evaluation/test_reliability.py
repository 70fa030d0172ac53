"""Measures of calibration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.reliability import coverage_at, expected_calibration_error, reliability_bins, wilson_interval

readings = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@given(readings)
def test_every_reading_is_in_one_bin(pairs: list[tuple[float, bool]]) -> None:
    confidences, right = zip(*pairs, strict=True)
    bins = reliability_bins(confidences, right)
    assert sum(one.count for one in bins) == len(pairs)
    assert sum(one.count * one.accuracy for one in bins) == pytest.approx(sum(right))
    assert sum(one.count * one.confidence for one in bins) == pytest.approx(sum(confidences))


def test_calibrated_confidences_have_no_calibration_error() -> None:
    assert expected_calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert expected_calibration_error([1.0, 1.0, 0.0], [True, True, False]) == pytest.approx(0)


def test_too_high_or_too_low_confidences_have_a_calibration_error() -> None:
    assert expected_calibration_error([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.4)
    assert expected_calibration_error([0.5] * 3 + [1.0], [True] * 4) == pytest.approx(0.375)


@given(readings, st.sampled_from([0.5, 0.9, 0.999]))
def test_coverage_is_the_largest_fraction_with_the_required_precision(
    pairs: list[tuple[float, bool]], precision: float
) -> None:
    accepted = [[right for confidence, right in pairs if confidence >= threshold] for threshold, _ in pairs]
    most = max((len(good) for good in accepted if np.mean(good) >= precision - 1e-12), default=0)
    confidences, right = zip(*pairs, strict=True)
    assert coverage_at(precision, confidences, right) == pytest.approx(most / len(pairs))


def test_coverage_does_not_separate_equal_confidences() -> None:
    for right in ([True, False], [False, True]):
        assert coverage_at(0.9, [0.5, 0.5], right) == 0
        assert coverage_at(0.5, [0.5, 0.5], right) == 1


def test_the_wilson_interval_agrees_with_published_values() -> None:
    assert wilson_interval(0, 94) == pytest.approx((0.0, 0.03926), abs=1e-4)
    assert wilson_interval(4, 104) == pytest.approx((0.01507, 0.09471), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)
