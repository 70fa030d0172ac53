"""A labelling session: serves the page's requests and applies its decisions, from any number of tabs."""

import hashlib
import threading
from collections import Counter

from app.inference.images import ImageError
from training.data.dataset import Sample
from training.data.suspects import Suspect
from training.labelling.decisions import Decision, Decisions, Kind, LabelError
from training.labelling.guesses import Guesses
from training.labelling.images import ImageFolder
from training.labelling.pace import Pace, agreement
from training.labelling.queue import Queue
from training.labelling.retrain import MIN_LABELS, Retraining
from training.labelling.schemas import ContradictedLabel, Decided, Status, Task, TrainingStatus
from training.labelling.suspects import decided_against, is_open

LAST_DECISIONS = 8


class ConflictError(Exception):
    """The image was decided elsewhere since it was shown; the message says how."""


class Session:
    """The images of a folder, the decisions about them, and which tab shows which image.

    Attributes:
        images: the folder.
        guesses: readings of a model, if there is one.
        suspects: labels that are probably wrong, by image number, in the order of review.
        retraining: retraining in the background, if requested.
    """

    def __init__(self, images: ImageFolder, decisions: Decisions) -> None:
        self.images = images
        self.guesses = Guesses(images, self.waiting)
        self.suspects: dict[int, Suspect] = {}
        self.retraining: Retraining | None = None
        self._decisions = decisions
        self._queue = Queue(len(images))
        self._pace = Pace()
        self._made_by: dict[int, str] = {}
        self._lock = threading.RLock()

    def waiting(self) -> list[int]:
        """Return the undecided images, those that tabs show first."""
        with self._lock:
            decided, held = self._decisions.all, self._queue.held()
            waiting = (n for n in range(len(self.images)) if n not in decided or not decided[n].is_final)
            return sorted(waiting, key=lambda number: number not in held)

    def samples(self) -> list[Sample]:
        """Return the labels so far."""
        with self._lock:
            return self._decisions.samples()

    def open_suspects(self) -> list[int]:
        """Return the images whose labels are undecided suspects."""
        with self._lock:
            decided = self._decisions.all
            return [number for number, suspect in self.suspects.items() if is_open(suspect, decided.get(number))]

    def next_task(self, tab: str) -> Task | None:
        """Return the image for a tab; None if all are decided."""
        with self._lock:
            self._decisions.refresh()
            number = self._queue.next_for(tab, self._decisions.all, self.guesses.all, self.open_suspects())
            return None if number is None else self.task(number)

    def leave(self, tab: str) -> None:
        """Remove a closed tab."""
        with self._lock:
            self._queue.forget(tab)

    def previous_task(self, tab: str, shown: int | None) -> Task | None:
        """Return the image that was decided before the shown one, in this tab or before this session.

        If the shown image is undecided, that is the latest decision.
        """
        with self._lock:
            self._decisions.refresh()
            suspects = set(self.open_suspects())
            made = [n for n in self._decisions.all if n not in suspects and self._made_by.get(n, tab) == tab]
            earlier = made[: made.index(shown)] if shown in made else made
            return self.task(earlier[-1]) if earlier else None

    def decide(self, tab: str, number: int, decision: Decision, revision: str) -> None:
        """Write a decision; a skipped suspect keeps its label and comes again after the others.

        Raises:
            ConflictError: the decision has changed since the revision; nothing is overwritten.
            LabelError: the image cannot be read, so no training could use its label.
            DataError: a table was changed and is no longer valid.
            OSError: the decision could not be written.
        """
        with self._lock:
            self._decisions.refresh()
            if decision.kind is Kind.SKIPPED and number in self.open_suspects():
                self.suspects[number] = self.suspects.pop(number)
            else:
                self._record(number, decision, revision)
            self._made_by[number] = tab
            self._pace.add()
            self._queue.release(tab, number)
        if self.retraining is not None:
            self.retraining.start_if_due(len(self.samples()))

    def task(self, number: int) -> Task:
        """Return an image as the page shows it."""
        with self._lock:
            decision = self._decisions.all.get(number)
        height, width, error = 0, 0, None
        try:
            height, width = self.images.pixels(number).shape[:2]
        except ImageError as reason:
            error = str(reason)
        return Task(
            number=number,
            name=self.images.names[number],
            width=width,
            height=height,
            error=error,
            guess=self.guesses.all.get(number),
            suspect=_contradicted(self.suspects.get(number), decision),
            kind=decision and decision.kind,
            label=decision.label if decision else "",
            revision=_revision(decision),
        )

    def status(self, tab: str) -> Status:
        """Return the progress, and renew the tab's lease."""
        with self._lock:
            decided = self._decisions.all
            counts = Counter(decision.kind for decision in decided.values())
            overall, recent = agreement(decided.values())
            suspects = set(self.open_suspects())
            final = [number for number, one in decided.items() if one.is_final and number not in suspects]
            last = final[: -LAST_DECISIONS - 1 : -1]
            held = self._queue.keep(tab)
            speed = self._pace.per_minute()
        left = len(self.images) - counts[Kind.LABEL] - counts[Kind.UNREADABLE]
        return Status(
            images=len(self.images),
            labelled=counts[Kind.LABEL],
            unreadable=counts[Kind.UNREADABLE],
            skipped=counts[Kind.SKIPPED],
            left=left,
            suspects_left=len(suspects) if self.suspects else None,
            per_minute=speed,
            seconds_left=speed and 60 * (left + len(suspects)) / speed,
            agreement=overall,
            recent_agreement=recent,
            last=[self._decided(number, decided[number]) for number in last],
            expected=self.guesses.expected,
            model=self.guesses.model,
            is_reading=self.guesses.is_reading,
            guess=None if held is None else self.guesses.all.get(held),
            training=_training_status(self.retraining, counts[Kind.LABEL]),
        )

    def close(self) -> None:
        """Stop background work."""
        if self.retraining is not None:
            self.retraining.close()
        self.guesses.close()

    def _record(self, number: int, decision: Decision, revision: str) -> None:
        before = self._decisions.all.get(number)
        if before is None or (before.kind, before.label) != (decision.kind, decision.label):
            self._check_unchanged(number, before, revision)
            if decision.kind is Kind.LABEL:
                self._check_readable(number)
        if decision.kind is Kind.LABEL and number in self.suspects:
            decision = decided_against(self.suspects[number], decision.label)
        self._decisions.record(number, decision)

    def _decided(self, number: int, decision: Decision) -> Decided:
        return Decided(number=number, name=self.images.names[number], kind=decision.kind, label=decision.label)

    def _check_unchanged(self, number: int, before: Decision | None, revision: str) -> None:
        if _revision(before) != revision:
            how = f'labelled "{before.label}"' if before and before.label else "set aside" if before else "reset"
            raise ConflictError(f"{self.images.names[number]} was {how} elsewhere in the meantime; this is kept.")

    def _check_readable(self, number: int) -> None:
        try:
            self.images.pixels(number)
        except ImageError as error:
            raise LabelError(f"No model can be trained on this file: {error} Mark it as unreadable.") from error


def _revision(decision: Decision | None) -> str:
    """Return an identifier of the decision; skipping does not change it, as nothing would be overwritten."""
    if decision is None or not decision.is_final:
        return "undecided"
    return hashlib.sha256(f"{decision.kind} {decision.label} {decision.model}".encode()).hexdigest()[:16]


def _contradicted(suspect: Suspect | None, decision: Decision | None) -> ContradictedLabel | None:
    if suspect is None:
        return None
    _, label, reading, confidence = suspect
    return ContradictedLabel(label=label, reading=reading, confidence=confidence, is_open=is_open(suspect, decision))


def _training_status(retraining: Retraining | None, labels: int) -> TrainingStatus | None:
    if retraining is None:
        return None
    return TrainingStatus(
        state=retraining.state,
        message=retraining.message,
        progress=retraining.progress,
        labels_needed=retraining.labels_needed(labels),
        possible=retraining.state != "training" and labels >= MIN_LABELS,
    )
