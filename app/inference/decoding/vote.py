"""Vote of several readings of an image: of the image itself, and of zoomed copies."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from app.inference.decoding.ctc import Alternative, Decoded
from app.inference.decoding.sums import Sum

Value = TypeVar("Value", bound=Hashable)


def has_majority(readings: Sequence[Decoded], of: int) -> bool:
    """Return whether one text has more than half of the votes when there will be `of` readings."""
    return 2 * max(Counter(reading.text for reading in readings).values()) > of


def vote(readings: Sequence[Decoded]) -> Decoded:
    """Return the text with the largest sum of confidences, with the spans of the first reading that has it.

    Its confidence is the mean over the readings that have it, or over all readings if these are not the majority. The
    value of a sum is found likewise. Other alternatives have their mean confidence over all readings; together with the
    text's own, these do not exceed 1.
    """
    text, confidence = _winner([(reading.text, reading.confidence) for reading in readings])
    first = next(reading for reading in readings if reading.text == text)
    sums = [reading.sum for reading in readings if reading.sum is not None]
    return replace(
        first,
        confidence=confidence,
        alternatives=_alternatives(readings, Alternative(text, confidence)),
        sum=Sum(*_winner(sums)) if sums else None,
    )


def _winner(votes: Sequence[tuple[Value, float]]) -> tuple[Value, float]:
    confidences: defaultdict[Value, list[float]] = defaultdict(list)
    for value, confidence in votes:
        confidences[value].append(confidence)
    winner = max(confidences, key=lambda value: sum(confidences[value]))
    voters = len(confidences[winner])
    return winner, sum(confidences[winner]) / (voters if 2 * voters > len(votes) else len(votes))


def _alternatives(readings: Sequence[Decoded], best: Alternative) -> tuple[Alternative, ...]:
    count = max(len(reading.alternatives) for reading in readings)
    shares: defaultdict[str, float] = defaultdict(float)
    for reading in readings:
        for other in reading.alternatives:
            shares[other.text] += other.confidence / len(readings)
    others = {text: share for text, share in shares.items() if text != best.text}
    scale = min(1.0, (1 - best.confidence) / max(sum(others.values()), 1e-12))
    ranked = sorted(others, key=lambda text: -others[text])
    return (best, *(Alternative(text, min(scale * others[text], best.confidence)) for text in ranked))[:count]


def unzoomed(decoded: Decoded, factor: float, steps: int) -> Decoded:
    """Return a reading of a copy that was zoomed about its centre, with the spans moved to the original's steps."""
    spans = []
    for span in decoded.spans:
        offset = (span.first_step + span.last_step + 1 - steps) / 2
        move = round(offset / factor - offset)
        first, last = (min(max(step + move, 0), steps - 1) for step in (span.first_step, span.last_step))
        spans.append(span._replace(first_step=first, last_step=last))
    return replace(decoded, spans=tuple(spans))
