"""Speed and agreement with the model."""

import pytest

from training.labelling.decisions import Decision, Kind
from training.labelling.pace import Agreement, Pace, agreement


def pace_after(times: list[float], monkeypatch: pytest.MonkeyPatch) -> float | None:
    """Return the speed after decisions at these seconds."""
    pace, remaining = Pace(), iter(times)
    monkeypatch.setattr("time.monotonic", lambda: next(remaining))
    for _ in times:
        pace.add()
    return pace.per_minute()


@pytest.mark.parametrize(
    ("times", "speed"),
    [
        ([], None),
        ([0, 2, 4], None),
        ([0, 2, 4, 6], 30),
        ([0, 2, 4, 1000, 1002], 30),  # a pause
        ([0, 50, *(50 + 3 * second for second in range(1, 21))], 20),  # slow at first
        ([0, 0, 0, 0], 180_000),
    ],
)
def test_the_speed_is_that_of_recent_decisions_without_pauses(
    times: list[float], speed: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pace_after(times, monkeypatch) == speed


def test_the_agreement_counts_only_labels_made_from_a_guess() -> None:
    wrong = Decision(Kind.LABEL, "x", "y", "captcha/1")
    right = Decision(Kind.LABEL, "x", "x", "captcha/1")
    without_guess = Decision(Kind.LABEL, "x")
    decisions = [wrong] * 20 + [without_guess, Decision(Kind.UNREADABLE)] + [right] * 40
    assert agreement(decisions) == (Agreement(40, 60), Agreement(40, 50))
    assert agreement([without_guess]) == (Agreement(0, 0), Agreement(0, 0))
