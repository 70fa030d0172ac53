"""What people have decided about images, on disk: labels in one table, what is set aside in another."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from app.shared.files import lock
from app.shared.outputs import check_place
from training.data.dataset import CSV_COLUMNS, DataError, Sample
from training.data.labels import clean, hidden_character
from training.labelling.images import ImageFolder
from training.labelling.tables import Row, Table

LABEL_COLUMNS = (*CSV_COLUMNS, "guess", "model")
SET_ASIDE_COLUMNS = ("path", "decision")
MAX_LABEL = 500


class LabelError(ValueError):
    """A text cannot be a label; the message says why."""


class Kind(StrEnum):
    """What can be decided about an image."""

    LABEL = "label"
    UNREADABLE = "unreadable"
    SKIPPED = "skipped"


class Decision(NamedTuple):
    """A decision about an image."""

    kind: Kind
    label: str = ""
    guess: str = ""
    """What the model read when the label was given."""
    model: str = ""
    """Which model that was; empty where there was no guess."""

    @property
    def is_final(self) -> bool:
        """Whether the image need not come again."""
        return self.kind is not Kind.SKIPPED


class Decisions:
    """The decisions about the images of a folder, each on disk when `record` returns.

    Labels are in the file that `train` takes, with the guesses that they were made from. What has no label is in
    another file beside it, so that no training takes it for one: images that nobody can read, and those skipped.

    Attributes:
        labels_file, set_aside_file: the tables.

    Raises:
        DataError: a table that is there cannot be used.
        OSError: it cannot be read.
    """

    def __init__(self, labels_file: Path, images: ImageFolder) -> None:
        self.labels_file = labels_file.resolve()
        self.set_aside_file = self.labels_file.with_name(f"{self.labels_file.stem}.set-aside.csv")
        self._images = images
        self._keys = [self._written(images.path(number)) for number in range(len(images))]
        self._numbers = {key: number for number, key in enumerate(self._keys)}
        self._labels = Table(self.labels_file, LABEL_COLUMNS, self._key_of)
        self._set_aside = Table(self.set_aside_file, SET_ASIDE_COLUMNS, self._key_of)
        self._decided = self._collect()

    @property
    def all(self) -> Mapping[int, Decision]:
        """The decisions by the images' numbers, the latest last."""
        return self._decided

    def refresh(self) -> None:
        """Take over what other programs have written into the tables.

        Raises:
            DataError: a table cannot be used any more.
            OSError: it cannot be read.
        """
        if any([self._labels.refresh(), self._set_aside.refresh()]):
            self._decided = self._collect()

    def record(self, number: int, decision: Decision) -> None:
        """Write a decision, in place of an earlier one about the image.

        Raises:
            OSError: it cannot be written.
        """
        key = self._keys[number]
        # The new row first: killed between the two, an image has both, and the label counts.
        if decision.kind is Kind.LABEL:
            self._labels.put(key, {"label": decision.label, "guess": decision.guess, "model": decision.model})
            self._set_aside.remove(key)
        else:
            self._set_aside.put(key, {"decision": decision.kind})
            self._labels.remove(key)
        self._decided.pop(number, None)
        self._decided[number] = decision

    def samples(self) -> list[Sample]:
        """Return the labelled images."""
        return [
            Sample(self._images.path(number), decision.label)
            for number, decision in sorted(self._decided.items())
            if decision.kind is Kind.LABEL
        ]

    def _collect(self) -> dict[int, Decision]:
        found = {key: _set_aside_decision(row, self.set_aside_file) for key, row in self._set_aside.rows.items()}
        for key, row in self._labels.rows.items():
            if row["label"].strip():
                found.pop(key, None)
                found[key] = Decision(Kind.LABEL, clean(row["label"]), row.get("guess", ""), row.get("model", ""))
        return {self._numbers[key]: decision for key, decision in found.items() if key in self._numbers}

    def _key_of(self, path: str) -> str:
        """Return the path that we would write for the file that a path of the table leads to; see `read_samples`."""
        if path in self._numbers:
            return path
        found = (place for place in (self.labels_file.parent / path, Path(path)) if place.exists())
        image = next(found, None)
        return path if image is None else self._written(image.parent.resolve() / image.name)

    def _written(self, image: Path) -> str:
        try:
            return Path(os.path.relpath(image, self.labels_file.parent)).as_posix()
        except ValueError:  # on another drive of Windows
            return image.as_posix()


def clean_label(text: str) -> str:
    """Return a label as it is learnt, see `clean`.

    Raises:
        LabelError: it is empty, too long, or has characters that nobody can see in an image.
    """
    label = clean(text)
    if not label:
        raise LabelError("A label is needed; an image that shows no readable text can be marked as unreadable.")
    if len(label) > MAX_LABEL:
        raise LabelError(f"The label is too long: at most {MAX_LABEL} characters.")
    hidden = hidden_character(label)
    if hidden is not None:
        raise LabelError(f"The label has the character U+{ord(hidden):04X}, which no image shows.")
    return label


@contextmanager
def lock_labels(labels_file: Path) -> Iterator[None]:
    """Keep other labelling commands from writing a file of labels.

    Raises:
        DataError: another one is writing it.
        UserError: its folder does not exist or cannot be written to.
    """
    labels_file = labels_file.resolve()
    check_place(labels_file, "--labels")
    beside = labels_file.with_name(f".{labels_file.name}.lock")
    with beside.open("ab") as file:
        if not lock(file) or not _is_at(file.fileno(), beside):
            raise DataError(f"Another labelling command is writing {labels_file}; use its page, or end it first.")
        try:
            yield
        finally:
            beside.unlink(missing_ok=True)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file has not been removed by whoever held it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _set_aside_decision(row: Row, file: Path) -> Decision:
    try:
        decision = Decision(Kind(row["decision"]))
    except ValueError:
        decision = None
    if decision is None or decision.kind is Kind.LABEL:
        wanted = f"{Kind.UNREADABLE} or {Kind.SKIPPED}"
        raise DataError(f"{file}: the decision about {row['path']} must be {wanted}, not {row['decision']!r}.")
    return decision
