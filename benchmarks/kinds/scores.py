"""How many texts are read right, and what that says."""

import statistics
from collections.abc import Sequence
from typing import TypedDict

from training.evaluation.metrics import character_error_rate
from training.evaluation.reliability import wilson_interval


class Score(TypedDict):
    """Readings against labels, once as they are and once ignoring case and white space; rates are fractions."""

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
    """Return the text without white space and case."""
    return "".join(text.split()).casefold()


def interval(right: int, images: int) -> tuple[float, float]:
    """Where the true share of words read right lies with 95 % confidence (Wilson, 1927), as fractions."""
    low, high = wilson_interval(images - right, images)
    return 1 - high, 1 - low


def median_and_worst(shares: Sequence[float]) -> tuple[float, float]:
    """The middle of the kinds and the least."""
    return statistics.median(shares), min(shares)


def _equal(wanted: Sequence[str], read: Sequence[str]) -> int:
    return sum(one == other for one, other in zip(wanted, read, strict=True))
