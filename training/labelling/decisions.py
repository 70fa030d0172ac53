"""Decisions about images, on disk: one table of labels, one of images set aside."""

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
    """A text is not a valid label; the message says why."""


class Kind(StrEnum):
    """The kinds of decisions about an image."""

    LABEL = "label"
    UNREADABLE = "unreadable"
    SKIPPED = "skipped"


class Decision(NamedTuple):
    """A decision about an image."""

    kind: Kind
    label: str = ""
    guess: str = ""
    """The model's reading when the label was given."""
    model: str = ""
    """The name of that model; empty if there was no guess."""

    @property
    def is_final(self) -> bool:
        """Whether the image is done and need not be shown again."""
        return self.kind is not Kind.SKIPPED


class Decisions:
    """The decisions about the images of a folder, each on disk when `record` returns.

    Labels are in the file that `train` takes, with the guesses behind them. Unreadable and skipped images are in a
    second file beside it, so that no training uses them.

    Raises:
        DataError: an existing table cannot be used.
        OSError: a table cannot be read.
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
        """All decisions by image number, the latest last."""
        return self._decided

    def refresh(self) -> None:
        """Load changes that other programs have made to the tables.

        Raises:
            DataError: a table cannot be used any more.
            OSError: a table cannot be read.
        """
        if any([self._labels.refresh(), self._set_aside.refresh()]):
            self._decided = self._collect()

    def record(self, number: int, decision: Decision) -> None:
        """Write a decision, replacing an earlier one about the image.

        Raises:
            OSError: the decision cannot be written.
        """
        key = self._keys[number]
        # Write the new row first: if the process is killed between the two writes, the label takes precedence.
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
        """Return the form in which we write a path of the table; see `read_samples`."""
        if path in self._numbers:
            return path
        found = (place for place in (self.labels_file.parent / path, Path(path)) if place.exists())
        image = next(found, None)
        return path if image is None else self._written(image.parent.resolve() / image.name)

    def _written(self, image: Path) -> str:
        try:
            return Path(os.path.relpath(image, self.labels_file.parent)).as_posix()
        except ValueError:  # on another Windows drive
            return image.as_posix()


def clean_label(text: str) -> str:
    """Return a label in the form used for training; see `clean`.

    Raises:
        LabelError: the label is empty, too long, or has characters that are invisible in an image.
    """
    label = clean(text)
    if not label:
        raise LabelError("Enter a label, or mark the image as unreadable.")
    if len(label) > MAX_LABEL:
        raise LabelError(f"The label is too long: at most {MAX_LABEL} characters.")
    hidden = hidden_character(label)
    if hidden is not None:
        raise LabelError(f"The label has the character U+{ord(hidden):04X}, which no image can show.")
    return label


@contextmanager
def lock_labels(labels_file: Path) -> Iterator[None]:
    """Lock a label file against other labelling commands.

    Raises:
        DataError: another command has the lock.
        UserError: the folder does not exist or is not writable.
    """
    labels_file = labels_file.resolve()
    check_place(labels_file, "--labels")
    beside = labels_file.with_name(f".{labels_file.name}.lock")
    with beside.open("ab") as file:
        if not lock(file) or not _is_at(file.fileno(), beside):
            raise DataError(f"Another labelling command uses {labels_file}; use its page, or stop it first.")
        try:
            yield
        finally:
            beside.unlink(missing_ok=True)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _set_aside_decision(row: Row, file: Path) -> Decision:
    if row["decision"] not in {Kind.UNREADABLE, Kind.SKIPPED}:
        wanted = f"{Kind.UNREADABLE} or {Kind.SKIPPED}"
        raise DataError(f"{file}: the decision about {row['path']} must be {wanted}, not {row['decision']!r}.")
    return Decision(Kind(row["decision"]))
