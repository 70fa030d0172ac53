"""Scores of readings, and their confidence intervals."""

import statistics
from collections.abc import Sequence
from typing import TypedDict

from training.evaluation.metrics import character_error_rate
from training.evaluation.reliability import wilson_interval


class Score(TypedDict):
    """Readings compared with labels, exactly and ignoring case and white space; rates are fractions."""

    images: int
    words_right: int
    cer: float
    words_right_any_case: int
    cer_any_case: float


def score(labels: Sequence[str], texts: Sequence[str]) -> Score:
    """Compare readings with labels, in the same order."""
    folded, texts_folded = ([plain(text) for text in side] for side in (labels, texts))
    return Score(
        images=len(labels),
        words_right=_equal(labels, texts),
        cer=character_error_rate(labels, texts),
        words_right_any_case=_equal(folded, texts_folded),
        cer_any_case=character_error_rate(folded, texts_folded),
    )


def plain(text: str) -> str:
    """Return a text without white space and case."""
    return "".join(text.split()).casefold()


def interval(right: int, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of the fraction of words read correctly (Wilson, 1927), as fractions."""
    low, high = wilson_interval(images - right, images)
    return 1 - high, 1 - low


def median_and_worst(shares: Sequence[float]) -> tuple[float, float]:
    """Return the median and the minimum over the kinds."""
    return statistics.median(shares), min(shares)


def _equal(wanted: Sequence[str], read: Sequence[str]) -> int:
    return sum(one == other for one, other in zip(wanted, read, strict=True))
