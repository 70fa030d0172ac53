"""Drift of a model's current confidences from those of its validation images."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)
"""Inclusive upper bounds of the buckets; one more bucket is above. They are dense where most confidences lie."""
BUCKETS = len(EDGES) + 1
MIN_READINGS = 100
"""Minimum number of readings for an index."""
MAX_COUNT = 2**53
"""Maximum count of a bucket: the largest that is exact as a float."""


def histogram(confidences: Iterable[float]) -> dict[str, Any]:
    """Return the number of confidences in each bucket, in the form of metrics.json."""
    counts = [0] * BUCKETS
    for confidence in confidences:
        counts[bisect_left(EDGES, confidence)] += 1
    return {"edges": list(EDGES), "counts": counts}


def reference_counts(metrics: dict[str, Any]) -> list[int] | None:
    """Return the counts of the validation confidences in the content of metrics.json; None if missing or invalid."""
    match metrics:
        case {"validation": {"confidence_histogram": {"edges": edges, "counts": [*counts]}}} if (
            edges == list(EDGES)
            and len(counts) == BUCKETS
            and all(isinstance(count, int) and 0 <= count <= MAX_COUNT for count in counts)
            and sum(counts) > 0
        ):
            return counts
    return None


def population_stability_index(reference: Sequence[float], recent: Sequence[float]) -> float | None:
    """Return the population stability index of two histograms: the sum of (q - p) ln(q / p) over bucket shares p and q.

    It is the symmetric Kullback-Leibler divergence. By the rule of thumb of Siddiqi, "Credit Risk Scorecards", 2006,
    less than 0.1 is no change, more than 0.25 a large one. Each bucket of both histograms gets the share of half a
    reference image, so that empty buckets have a logarithm and buckets empty in both contribute nothing.

    Returns:
        The index; None with fewer than `MIN_READINGS` recent readings.
    """
    images, readings = sum(reference), sum(recent)
    if readings < MIN_READINGS:
        return None
    smoothing = 0.5 / images
    total = 1 + smoothing * len(reference)
    index = 0.0
    for then, now in zip(reference, recent, strict=True):
        before, after = (then / images + smoothing) / total, (now / readings + smoothing) / total
        index += (after - before) * math.log(after / before)
    return index
