"""Which image comes next."""

import pytest

from training.labelling.decisions import Decision, Kind
from training.labelling.guesses import Guess
from training.labelling.queue import LEASE_SECONDS, Queue

LABEL, UNREADABLE, SKIPPED = Decision(Kind.LABEL, "x"), Decision(Kind.UNREADABLE), Decision(Kind.SKIPPED)


def guess(confidence: float) -> Guess:
    return Guess("x", confidence, (), "captcha/1")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in its only element."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def all_for(tab: str, queue: Queue, guesses: dict[int, Guess], decisions: dict[int, Decision]) -> list[int]:
    """The images that a tab is given while it labels each."""
    given = []
    while (number := queue.next_for(tab, decisions, guesses)) is not None:
        given.append(number)
        decisions[number] = LABEL
    return given


def test_without_guesses_images_come_as_they_are_in_the_folder() -> None:
    assert all_for("tab", Queue(4), {}, {1: LABEL}) == [0, 2, 3]


def test_the_least_sure_come_first_then_those_without_a_guess_and_last_the_skipped() -> None:
    guesses = {0: guess(0.9), 1: guess(0.1), 3: guess(1.0), 5: guess(0.5)}
    decisions = {5: SKIPPED, 4: UNREADABLE, 0: SKIPPED}
    assert all_for("tab", Queue(6), guesses, decisions) == [1, 3, 2, 5, 0]


def test_suspects_come_before_all_others_though_they_have_labels() -> None:
    queue = Queue(4)
    assert queue.next_for("tab", {2: LABEL, 3: LABEL}, {0: guess(0.1)}, [3, 2]) == 3
    assert queue.next_for("other", {2: LABEL, 3: LABEL}, {0: guess(0.1)}, [3, 2]) == 2
    assert queue.next_for("tab", {2: LABEL, 3: LABEL}, {0: guess(0.1)}, [2]) == 0  # the other tab has the suspect


def test_a_tab_keeps_its_image_until_it_is_decided_even_if_another_has_become_less_sure() -> None:
    queue = Queue(3)
    assert queue.next_for("tab", {}, {}) == 0
    assert queue.next_for("tab", {}, {2: guess(0.1)}) == 0
    assert queue.next_for("tab", {0: LABEL}, {2: guess(0.1)}) == 2


def test_a_tab_that_skipped_is_given_another() -> None:
    queue = Queue(2)
    assert queue.next_for("tab", {}, {}) == 0
    queue.give_up("tab", 0)
    assert queue.next_for("tab", {0: SKIPPED}, {}) == 1


def test_correcting_another_image_does_not_change_the_one_that_waits() -> None:
    queue = Queue(3)
    assert queue.next_for("tab", {}, {}) == 0
    queue.give_up("tab", 2)
    assert queue.next_for("tab", {2: LABEL}, {1: guess(0.1)}) == 0


def test_tabs_are_given_different_images_while_there_are_enough() -> None:
    queue = Queue(2)
    assert [queue.next_for(tab, {}, {}) for tab in ("one", "two", "three")] == [0, 1, 0]


def test_the_image_of_a_tab_that_was_closed_is_for_others(clock: list[float]) -> None:
    queue = Queue(3)
    queue.next_for("one", {}, {})
    queue.forget("one")
    assert queue.next_for("two", {}, {}) == 0


def test_the_image_of_a_tab_that_is_not_heard_of_is_for_others(clock: list[float]) -> None:
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
