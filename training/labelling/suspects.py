"""Suspects, which are labels that are probably wrong: each is kept or corrected on the page, once."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from app.shared.command_line import pasteable
from app.shared.csv_files import with_formula
from training.data.dataset import LABELS_FILE, DataError, Sample
from training.data.layouts import LAYOUTS, Dataset, LayoutName
from training.data.suspects import Suspect, read_suspects
from training.data.words import some_of
from training.labelling.decisions import Decision, Decisions, Kind
from training.labelling.images import ImageFolder, find_images

SUSPECTS = "suspects"
"""Value of the column `model` for labels reviewed against a contradicting reading; `guess` has the reading."""


def find_suspects(file: Path, images: ImageFolder, decisions: Decisions) -> dict[int, Suspect]:
    """Return the suspects of a file by image number, most confident contradiction first.

    Their paths are looked up in the current folder, where `training suspects` was started, then beside the file.

    Raises:
        DataError: the file has another format, or images of suspects are not in the folder or have no label.
        OSError: the file cannot be read.
    """
    numbers = {images.path(number): number for number in range(len(images))}
    found: dict[int, Suspect] = {}
    elsewhere, unlabelled = [], []
    suspects = read_suspects(file)
    for suspect in suspects:
        places = (place.parent.resolve() / place.name for place in (Path(suspect.path), file.parent / suspect.path))
        number = next((numbers[place] for place in places if place in numbers), None)
        if number is None:
            elsewhere.append(suspect.path)
        elif number not in decisions.all:
            unlabelled.append(suspect.path)
        else:
            found.setdefault(number, suspect)
    if elsewhere:
        raise DataError(
            f"{file}: {_some(elsewhere, suspects)} not in {images.root}; give the folder that has the images, and "
            "start the command where `training suspects` was started."
        )
    if unlabelled:
        raise DataError(
            f"{file}: {_some(unlabelled, suspects)} without a label in {decisions.labels_file}; give the CSV file of "
            "the labels (columns path,label) with --labels. `training convert DATA --output FILE` writes it for images "
            "that are labelled in another way."
        )
    return found


def is_decided(suspect: Suspect, decision: Decision | None) -> bool:
    """Return whether a label was kept or corrected against this reading, or the image was set aside."""
    if decision is None:
        return False
    return decision.kind is Kind.UNREADABLE or (decision.guess, decision.model) == (suspect.reading, SUSPECTS)


def is_open(suspect: Suspect, decision: Decision | None) -> bool:
    """Return whether a suspect is undecided and its label is still the contradicted one."""
    if decision is None or decision.kind is not Kind.LABEL or is_decided(suspect, decision):
        return False
    return with_formula(decision.label) == suspect.label  # as `read_dataset` converts labels of a list


def decided_against(suspect: Suspect, label: str) -> Decision:
    """Return the decision for a label that marks the suspect as decided."""
    return Decision(Kind.LABEL, label, suspect.reading, SUSPECTS)


def in_words(suspects: Mapping[int, Suspect], decisions: Mapping[int, Decision]) -> str:
    """Describe how many suspects are undecided, and why the others are not."""
    pairs = [(suspect, decisions.get(number)) for number, suspect in suspects.items()]
    left = sum(is_open(*pair) for pair in pairs)
    before = sum(is_decided(*pair) for pair in pairs)
    stale = len(pairs) - left - before
    decided = f", {before:,} already decided" if before else ""
    changed = f", {stale:,} skipped because their labels have changed" if stale else ""
    return f"{left:,} of {len(pairs):,} suspects to review{decided}{changed}"


def review_commands(
    file: Path, dataset: Dataset, data: Path, images: Path | None, labels_from: LayoutName | None
) -> list[str]:
    """Return the commands that review the suspects of a file on the page.

    The first is `convert` if the labels are not in a CSV file that can be corrected. The last three arguments are those
    of `read_dataset` that gave the data set.
    """
    folder = _folder_of(dataset.samples, data)
    for labels in sorted(data.glob("*.csv")) if data.is_dir() else [data]:
        if labels.resolve() != file.resolve():
            with suppress(DataError, OSError):
                listed = find_images(folder)
                find_suspects(file, listed, Decisions(labels, listed))
                return [_label_command(folder, labels, file)]
    labels = data / LABELS_FILE
    if LAYOUTS[dataset.layout].label_of is None or labels.exists():
        # Not in the folder, which would then have two lists.
        beside = data.resolve()
        labels = Path(os.path.relpath(beside.with_name(f"{beside.stem}-corrected.csv")))
    options = [*(["--images", images] if images else []), *(["--labels-from", labels_from] if labels_from else [])]
    convert = pasteable("training", "convert", data, *options, "--output", labels)
    return [convert, _label_command(folder, labels, file)]


def _folder_of(samples: Sequence[Sample], data: Path) -> Path:
    """Return a folder that holds all images: that of the data if possible."""
    common = Path(os.path.commonpath([sample.path.parent.resolve() for sample in samples]))
    return data if common.is_relative_to(data.resolve()) else Path(os.path.relpath(common))


def _label_command(folder: Path, labels: Path, file: Path) -> str:
    options = [] if labels == folder / LABELS_FILE else ["--labels", labels]
    return pasteable("training", "label", folder, *options, "--suspects", file)


def _some(paths: Sequence[str], suspects: Sequence[Suspect]) -> str:
    return f"{len(paths):,} of {len(suspects):,} images ({some_of(paths)}) are"
