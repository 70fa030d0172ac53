"""Measures of calibration: whether confidences match accuracy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15
Z = 1.96
"""Standard deviations that enclose 95 % of a normal distribution."""


@dataclass(frozen=True)
class Bin:
    """Readings of similar confidence."""

    count: int
    confidence: float
    """Their mean confidence, 0…1."""
    accuracy: float
    """Fraction of them that is right, 0…1."""


def reliability_bins(confidences: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """Group readings by confidence into equal intervals of 0…1; empty intervals are omitted."""
    confidence, correct = np.asarray(confidences, float), np.asarray(right, float)
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    groups = [index == number for number in range(BINS)]
    return [
        Bin(int(group.sum()), float(confidence[group].mean()), float(correct[group].mean()))
        for group in groups
        if group.any()
    ]


def expected_calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the mean gap between confidence and accuracy, over bins weighted by size (Naeini et al., AAAI 2015)."""
    bins = reliability_bins(confidences, right)
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / max(1, total)


def coverage_at(precision: float, confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the largest fraction of readings, most confident first, that is right with at least this precision."""
    confidence = np.asarray(confidences, float)
    order = np.argsort(confidence)[::-1]
    correct = np.cumsum(np.asarray(right, float)[order])
    accepted = np.arange(1, len(order) + 1)
    ends = np.diff(confidence[order], append=-1.0) < 0  # no threshold separates equal confidences
    good = np.flatnonzero(ends & (correct >= precision * accepted - 1e-9))
    return float(good[-1] + 1) / len(order) if len(good) else 0.0


def wilson_interval(errors: int, total: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an error rate (Wilson, 1927).

    Returns:
        The lower and upper bounds, as fractions.
    """
    if total == 0:
        return 0.0, 1.0
    rate = errors / total
    centre = rate + Z * Z / (2 * total)
    spread = Z * math.sqrt(rate * (1 - rate) / total + Z * Z / (4 * total * total))
    scale = 1 + Z * Z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
