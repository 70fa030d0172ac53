"""Labels that are probably wrong, as a file: `training suspects` writes it, and `training label` goes through it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.shared.csv_files import write_rows
from app.shared.files import write_atomically
from training.data.dataset import DataError


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


def write_suspects(suspects: Sequence[Suspect], file: Path) -> None:
    """Write a CSV file with a line for each label: path, label, reading and confidence."""
    with write_atomically(file) as out:
        write_rows(out, [Suspect._fields])
        write_rows(out, ((*suspect[:3], f"{suspect.confidence:.4f}") for suspect in suspects))


def lists_suspects(text: str) -> bool:
    """Return whether this is the content of a file that `write_suspects` has written."""
    return text.startswith(",".join(Suspect._fields))


def read_suspects(file: Path) -> list[Suspect]:
    """Read back what `write_suspects` has written, the surest contradiction first.

    Raises:
        DataError: the file is something else.
        OSError: it cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not set(Suspect._fields) <= set(reader.fieldnames or ()):
                raise ValueError("a column is missing")
            suspects = [_suspect(row) for row in reader]
    except (ValueError, TypeError, csv.Error) as error:
        columns = ",".join(Suspect._fields)
        raise DataError(f"{file} is not what `training suspects` writes: a CSV file with {columns}.") from error
    return sorted(suspects, key=lambda suspect: -suspect.confidence)


def _suspect(row: dict[str, str]) -> Suspect:
    confidence = float(row["confidence"])
    if not row["path"] or not 0 <= confidence <= 1:
        raise ValueError("a row has no path, or a confidence that is none")
    return Suspect(row["path"], row["label"], row["reading"], confidence)
