"""Labels that are probably wrong: models that have not seen the image surely read something else in it.

Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021, for texts instead of classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.shared.csv_files import write_rows
from app.shared.files import write_atomically
from training.pipeline.crossval import PartResult

MIN_CONFIDENCE = 0.5
"""Of a reading that contradicts a label: it is likelier than all other texts together."""


class Suspect(NamedTuple):
    """A label that is contradicted.

    Attributes:
        path: of the image.
        label: what it is said to be.
        reading: what was read instead.
        confidence: of the reading, 0…1.
    """

    path: str
    label: str
    reading: str
    confidence: float


def find_suspects(results: Sequence[PartResult]) -> list[Suspect]:
    """Return the labels that a cross-validation contradicts, the surest contradiction first.

    Args:
        results: of the parts. What they read in several views counts, as it errs less than a single reading.
    """
    suspects = [
        Suspect(line.path, line.label, line.prediction, line.confidence)
        for result in results
        for line in result.view_lines
        if line.error is None and not line.right and line.confidence >= MIN_CONFIDENCE
    ]
    return sorted(suspects, key=lambda suspect: -suspect.confidence)


def write_suspects(suspects: Sequence[Suspect], file: Path) -> None:
    """Write a CSV file with a line for each label: path, label, reading and confidence."""
    with write_atomically(file) as out:
        write_rows(out, [Suspect._fields])
        write_rows(out, ((*suspect[:3], f"{suspect.confidence:.4f}") for suspect in suspects))
