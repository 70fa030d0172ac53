"""The order of images."""

import pytest

from training.labelling.decisions import Decision, Kind
from training.labelling.guesses import Guess
from training.labelling.queue import LEASE_SECONDS, Queue

LABEL, UNREADABLE, SKIPPED = Decision(Kind.LABEL, "x"), Decision(Kind.UNREADABLE), Decision(Kind.SKIPPED)


def guess(confidence: float) -> Guess:
    return Guess("x", confidence, (), "captcha/1")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, as the only element of a list."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def all_for(tab: str, queue: Queue, guesses: dict[int, Guess], decisions: dict[int, Decision]) -> list[int]:
    """Return the images that a tab gets while it labels each."""
    given = []
    while (number := queue.next_for(tab, decisions, guesses)) is not None:
        given.append(number)
        decisions[number] = LABEL
    return given


def test_without_guesses_images_come_in_folder_order() -> None:
    assert all_for("tab", Queue(4), {}, {1: LABEL}) == [0, 2, 3]


def test_the_order_is_least_confident_then_unread_then_skipped() -> None:
    guesses = {0: guess(0.9), 1: guess(0.1), 3: guess(1.0), 5: guess(0.5)}
    decisions = {5: SKIPPED, 4: UNREADABLE, 0: SKIPPED}
    assert all_for("tab", Queue(6), guesses, decisions) == [1, 3, 2, 5, 0]


def test_labelled_suspects_come_first() -> None:
    queue = Queue(4)
    assert queue.next_for("tab", {2: LABEL, 3: LABEL}, {0: guess(0.1)}, [3, 2]) == 3
    assert queue.next_for("other", {2: LABEL, 3: LABEL}, {0: guess(0.1)}, [3, 2]) == 2
    assert queue.next_for("tab", {2: LABEL, 3: LABEL}, {0: guess(0.1)}, [2]) == 0  # the other tab has the suspect


def test_a_tab_keeps_its_image_even_if_another_becomes_less_confident() -> None:
    queue = Queue(3)
    assert queue.next_for("tab", {}, {}) == 0
    assert queue.next_for("tab", {}, {2: guess(0.1)}) == 0
    assert queue.next_for("tab", {0: LABEL}, {2: guess(0.1)}) == 2


def test_a_tab_gets_another_image_after_skipping() -> None:
    queue = Queue(2)
    assert queue.next_for("tab", {}, {}) == 0
    queue.release("tab", 0)
    assert queue.next_for("tab", {0: SKIPPED}, {}) == 1


def test_correcting_another_image_does_not_change_the_next_one() -> None:
    queue = Queue(3)
    assert queue.next_for("tab", {}, {}) == 0
    queue.release("tab", 2)
    assert queue.next_for("tab", {2: LABEL}, {1: guess(0.1)}) == 0


def test_tabs_get_different_images_if_there_are_enough() -> None:
    queue = Queue(2)
    assert [queue.next_for(tab, {}, {}) for tab in ("one", "two", "three")] == [0, 1, 0]


def test_the_image_of_a_closed_tab_goes_to_others(clock: list[float]) -> None:
    queue = Queue(3)
    queue.next_for("one", {}, {})
    queue.forget("one")
    assert queue.next_for("two", {}, {}) == 0


def test_the_image_of_a_silent_tab_goes_to_others(clock: list[float]) -> None:
    queue = Queue(3)
    assert queue.next_for("one", {}, {}) == 0
    clock[0] += LEASE_SECONDS - 1
    assert queue.keep("one") == 0
    clock[0] += LEASE_SECONDS - 1
    assert queue.next_for("two", {}, {}) == 1
    clock[0] += 2
    assert queue.next_for("three", {}, {}) == 0


def test_when_all_are_decided_there_is_none() -> None:
    queue = Queue(1)
    assert queue.next_for("tab", {0: UNREADABLE}, {}) is None
    assert queue.keep("tab") is None
