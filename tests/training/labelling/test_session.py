"""Several tabs in one session."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.labelling.conftest import NAMES
from tests.waiting import GENEROUS_SECONDS
from training.labelling.decisions import Decision, Decisions, Kind, LabelError
from training.labelling.images import ImageFolder
from training.labelling.schemas import Task
from training.labelling.session import ConflictError, Session

UNREADABLE, SKIPPED = Decision(Kind.UNREADABLE), Decision(Kind.SKIPPED)
Open = Callable[[], Decisions]


def labelled(label: str) -> Decision:
    return Decision(Kind.LABEL, label)


def take(session: Session, tab: str = "tab") -> Task:
    task = session.next_task(tab)
    assert task is not None
    return task


def decide(session: Session, decision: Decision, tab: str = "tab") -> int:
    """Decide about the next image and return its number."""
    task = take(session, tab)
    session.decide(tab, task.number, decision, task.revision)
    return task.number


def before(session: Session, shown: int | None, tab: str = "tab") -> int | None:
    task = session.previous_task(tab, shown)
    return None if task is None else task.number


def test_images_come_until_all_are_decided(session: Session, open_decisions: Open) -> None:
    assert [decide(session, decision) for decision in (labelled("x"), SKIPPED, UNREADABLE, labelled("y"))] == [
        0,
        1,
        2,
        3,
    ]
    assert take(session).kind is Kind.SKIPPED
    assert decide(session, labelled("z")) == 1
    assert session.next_task("tab") is None
    assert open_decisions().all == {0: labelled("x"), 2: UNREADABLE, 3: labelled("y"), 1: labelled("z")}


def test_a_task_has_what_the_page_shows(session: Session) -> None:
    task = take(session)
    assert (task.name, task.width, task.height, task.error) == (NAMES[0], 60, 20, None)
    assert (task.kind, task.label, task.guess) == (None, "", None)


def test_a_decision_of_another_tab_is_not_overwritten(session: Session, open_decisions: Open) -> None:
    task = take(session)
    session.decide("other", task.number, labelled("theirs"), task.revision)
    for decision in (labelled("mine"), UNREADABLE, SKIPPED):
        with pytest.raises(ConflictError, match=r'a\.png was labelled "theirs" elsewhere'):
            session.decide("tab", task.number, decision, task.revision)
    assert open_decisions().all == {0: labelled("theirs")}
    assert take(session).number == 1


def test_a_correction_does_not_overwrite_another_one(session: Session) -> None:
    decide(session, labelled("x"))
    seen_by_both = session.task(0)
    session.decide("other", 0, UNREADABLE, seen_by_both.revision)
    with pytest.raises(ConflictError, match=r"a\.png was set aside elsewhere"):
        session.decide("tab", 0, labelled("y"), seen_by_both.revision)


def test_a_label_removed_by_another_program_is_a_conflict(session: Session, folder: Path) -> None:
    decide(session, labelled("x"))
    seen = session.task(0)
    (folder / "labels.csv").write_text("path,label\n")
    with pytest.raises(ConflictError, match="was reset elsewhere"):
        session.decide("tab", 0, labelled("y"), seen.revision)


def test_a_repeated_request_does_no_harm(session: Session) -> None:
    task = take(session)
    for _ in range(2):
        session.decide("tab", task.number, labelled("x"), task.revision)
    assert session.status("tab").labelled == 1


def test_an_image_skipped_in_another_tab_can_be_labelled(session: Session) -> None:
    task = take(session)
    session.decide("other", task.number, SKIPPED, task.revision)
    session.decide("tab", task.number, labelled("x"), task.revision)
    assert session.status("tab").labelled == 1


def test_going_back_follows_the_tabs_own_decisions(session: Session) -> None:
    assert before(session, None) is None
    decide(session, labelled("mine"))
    decide(session, labelled("theirs"), tab="other")
    decide(session, SKIPPED)
    assert before(session, 3) == 2
    assert before(session, 2) == 0
    assert before(session, 0) is None
    assert before(session, None, tab="other") == 1


def test_going_back_reaches_the_decisions_of_earlier_sessions(
    session: Session, images: ImageFolder, open_decisions: Open
) -> None:
    decide(session, labelled("x"))
    decide(session, labelled("y"))
    again = Session(images, open_decisions())
    task = again.previous_task("tab", take(again).number)
    assert task is not None
    assert (task.number, task.kind, task.label) == (1, Kind.LABEL, "y")


def test_after_a_correction_the_interrupted_image_returns(session: Session) -> None:
    decide(session, labelled("x"))
    waiting = take(session).number
    earlier = session.task(0)
    session.decide("tab", 0, labelled("y"), earlier.revision)
    assert take(session).number == waiting


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_image_can_only_be_set_aside(session: Session, folder: Path, content: bytes) -> None:
    (folder / "a.png").write_bytes(content)
    task = take(session)
    assert task.error
    with pytest.raises(LabelError, match=r"No model can be trained on this file: .* Mark it as unreadable\."):
        session.decide("tab", 0, labelled("x"), task.revision)
    session.decide("tab", 0, UNREADABLE, task.revision)
    assert take(session).number == 1


def test_a_decision_that_cannot_be_written_has_no_effect(
    session: Session, open_decisions: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        decide(session, labelled("x"))
    monkeypatch.undo()
    assert session.status("tab").labelled == 0
    assert decide(session, labelled("x")) == 0
    assert open_decisions().all == {0: labelled("x")}


def test_the_last_decisions_are_listed_the_latest_first(session: Session) -> None:
    decide(session, labelled("x"))
    decide(session, SKIPPED)
    decide(session, UNREADABLE, tab="other")
    last = session.status("tab").last
    assert [(one.number, one.name, one.kind, one.label) for one in last] == [
        (2, NAMES[2], Kind.UNREADABLE, ""),
        (0, NAMES[0], Kind.LABEL, "x"),
    ]


def test_images_shown_in_tabs_are_read_first(session: Session) -> None:
    for _ in range(2):
        decide(session, labelled("x"))
    take(session, "one")
    assert take(session, "two").number == 3
    session.leave("one")
    assert session.waiting() == [3, 2]


def test_the_status_counts(session: Session, shipped_model: Path) -> None:
    session.guesses.read_with(shipped_model)
    session.guesses.wait(GENEROUS_SECONDS)
    held = take(session)
    assert held.guess is not None
    text = held.guess.text
    session.decide("tab", held.number, Decision(Kind.LABEL, "x", text, "captcha/1"), held.revision)
    decide(session, UNREADABLE)
    decide(session, SKIPPED)
    shown = take(session)
    status = session.status("tab")
    assert (status.images, status.labelled, status.unreadable, status.skipped, status.left) == (4, 1, 1, 1, 2)
    assert (status.agreement.agreed, status.agreement.labels) == (0, 1)
    assert status.per_minute is None
    assert status.model == f"captcha/{shipped_model.name}"
    assert status.guess == shown.guess
    assert status.training is None
    decide(session, SKIPPED)
    status = session.status("tab")
    assert status.per_minute
    assert status.seconds_left == pytest.approx(60 * 2 / status.per_minute)
