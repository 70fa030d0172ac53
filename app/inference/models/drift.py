"""How far the confidences of what a model reads now lie from those of its validation images."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)
"""The upper edges of the buckets, which belong to them; one more is above. They are dense where most words are."""
BUCKETS = len(EDGES) + 1
MIN_READINGS = 100
"""Fewer readings say nothing."""


def histogram(confidences: Iterable[float]) -> dict[str, Any]:
    """Return how many confidences lie in each bucket, as it is kept in metrics.json."""
    counts = [0] * BUCKETS
    for confidence in confidences:
        counts[bisect_left(EDGES, confidence)] += 1
    return {"edges": list(EDGES), "counts": counts}


def reference_counts(metrics: dict[str, Any]) -> list[int] | None:
    """Return the counts of the validation words, from the content of metrics.json; None where they are not there."""
    match metrics:
        case {"validation": {"confidence_histogram": {"edges": edges, "counts": [*counts]}}} if (
            edges == list(EDGES)
            and len(counts) == BUCKETS
            and all(isinstance(count, int) and count >= 0 for count in counts)
            and sum(counts) > 0
        ):
            return counts
    return None


def population_stability_index(reference: Sequence[float], recent: Sequence[float]) -> float | None:
    """Return how far two histograms lie apart: the sum of (q - p) ln(q / p) over the shares p and q of their buckets.

    It is the symmetric Kullback-Leibler divergence. Scorecards are watched with it, and by the rule of thumb of
    Siddiqi, "Credit Risk Scorecards", 2006, less than 0.1 is no change, more than 0.25 a large one. So that empty
    buckets have a logarithm, the weight of half a reference image is laid on each bucket of both; the same on both,
    or buckets that are empty in both would count.

    Returns:
        The index; None where there are too few recent readings to tell.
    """
    images, readings = sum(reference), sum(recent)
    if readings < MIN_READINGS:
        return None
    laid_on = 0.5 / images
    whole = 1 + laid_on * len(reference)
    index = 0.0
    for then, now in zip(reference, recent, strict=True):
        before, after = (then / images + laid_on) / whole, (now / readings + laid_on) / whole
        index += (after - before) * math.log(after / before)
    return index
