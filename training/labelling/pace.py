"""How fast people label, and how often they agree with the model."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from training.labelling.decisions import Decision, Kind
from training.labelling.suspects import SUSPECTS

RECENT_DECISIONS, RECENT_LABELS = 20, 50
MIN_DECISIONS = 3
"""From fewer decisions nobody can tell a speed."""
PAUSE_SECONDS = 60.0
"""Who takes longer than this was away."""


class Pace:
    """The speed of the last decisions, without pauses."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._seconds: deque[float] = deque(maxlen=RECENT_DECISIONS)

    def add(self) -> None:
        """Note that a decision was made now."""
        now = time.monotonic()
        if self._last is not None and now - self._last <= PAUSE_SECONDS:
            self._seconds.append(now - self._last)
        self._last = now

    def per_minute(self) -> float | None:
        """Return images a minute; None while nobody can tell."""
        if len(self._seconds) < MIN_DECISIONS:
            return None
        return 60 * len(self._seconds) / max(sum(self._seconds), 1e-3)


@dataclass(frozen=True)
class Agreement:
    """How many labels are what the model had guessed, of how many that were made from a guess."""

    agreed: int
    labels: int


def agreement(decisions: Iterable[Decision]) -> tuple[Agreement, Agreement]:
    """Return the agreement of all labels, and of the last ones; the latest decision comes last.

    A reading that contradicted a label was no guess.
    """
    same = [
        decision.label == decision.guess
        for decision in decisions
        if decision.kind is Kind.LABEL and decision.model not in {"", SUSPECTS}
    ]
    recent = same[-RECENT_LABELS:]
    return Agreement(sum(same), len(same)), Agreement(sum(recent), len(recent))
