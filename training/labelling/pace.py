"""Labelling speed, and agreement with the model."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from training.labelling.decisions import Decision, Kind
from training.labelling.suspects import SUSPECTS

RECENT_DECISIONS, RECENT_LABELS = 20, 50
MIN_DECISIONS = 3
"""Minimum number of decisions for an estimate of the speed."""
PAUSE_SECONDS = 60.0
"""Longer gaps between decisions count as pauses."""


class Pace:
    """The speed of recent decisions, without pauses."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._seconds: deque[float] = deque(maxlen=RECENT_DECISIONS)

    def add(self) -> None:
        """Record a decision made now."""
        now = time.monotonic()
        if self._last is not None and now - self._last <= PAUSE_SECONDS:
            self._seconds.append(now - self._last)
        self._last = now

    def per_minute(self) -> float | None:
        """Return images per minute; None if there are too few decisions."""
        if len(self._seconds) < MIN_DECISIONS:
            return None
        return 60 * len(self._seconds) / max(sum(self._seconds), 1e-3)


@dataclass(frozen=True)
class Agreement:
    """Number of labels made from a guess, and how many of them equal the guess."""

    agreed: int
    labels: int


def agreement(decisions: Iterable[Decision]) -> tuple[Agreement, Agreement]:
    """Return the agreement of all labels and of recent ones; decisions are in order, the latest last.

    Readings that contradicted a label do not count as guesses.
    """
    same = [
        decision.label == decision.guess
        for decision in decisions
        if decision.kind is Kind.LABEL and decision.model not in {"", SUSPECTS}
    ]
    recent = same[-RECENT_LABELS:]
    return Agreement(sum(same), len(same)), Agreement(sum(recent), len(recent))
