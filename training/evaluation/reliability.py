"""Whether confidences mean what they say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15
Z = 1.96
"""How many standard deviations hold 95 % of a normal distribution on both sides."""


@dataclass(frozen=True)
class Bin:
    """Readings of similar confidence."""

    count: int
    confidence: float
    """Their mean confidence, 0…1."""
    accuracy: float
    """The part of them that is right, 0…1."""


def reliability_bins(confidences: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """Group readings by confidence into so many equal intervals of 0…1; empty ones are left out."""
    confidence, correct = np.asarray(confidences, float), np.asarray(right, float)
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    groups = [index == number for number in range(BINS)]
    return [
        Bin(int(group.sum()), float(confidence[group].mean()), float(correct[group].mean()))
        for group in groups
        if group.any()
    ]


def expected_calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return how far confidence and accuracy lie apart, over bins weighted by their size (Naeini et al., AAAI 2015)."""
    bins = reliability_bins(confidences, right)
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / max(1, total)


def coverage_at(precision: float, confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the greatest part of the readings, the most confident first, of which at least so many are right."""
    confidence = np.asarray(confidences, float)
    order = np.argsort(confidence)[::-1]
    correct = np.cumsum(np.asarray(right, float)[order])
    accepted = np.arange(1, len(order) + 1)
    ends = np.diff(confidence[order], append=-1.0) < 0  # no threshold parts those that are equally confident
    good = np.flatnonzero(ends & (correct >= precision * accepted - 1e-9))
    return float(good[-1] + 1) / len(order) if len(good) else 0.0


def wilson_interval(errors: int, total: int) -> tuple[float, float]:
    """Return where the true rate of errors lies with 95 % confidence (Wilson, 1927).

    Returns:
        The lower and the upper bound, as fractions.
    """
    if total == 0:
        return 0.0, 1.0
    rate = errors / total
    centre = rate + Z * Z / (2 * total)
    spread = Z * math.sqrt(rate * (1 - rate) / total + Z * Z / (4 * total * total))
    scale = 1 + Z * Z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
