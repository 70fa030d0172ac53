"""Files of labels that are probably wrong: `training suspects` writes them, `training label` reviews them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.shared.csv_files import write_rows
from app.shared.files import write_atomically
from training.data.dataset import DataError, read_rows


class Suspect(NamedTuple):
    """A label that a model contradicts by its reading of the image, with this confidence, 0…1."""

    path: str
    label: str
    reading: str
    confidence: float


def write_suspects(suspects: Sequence[Suspect], file: Path) -> None:
    """Write a CSV file with path, label, reading and confidence of each suspect."""
    with write_atomically(file) as out:
        write_rows(out, [Suspect._fields])
        write_rows(out, ((*suspect[:3], f"{suspect.confidence:.4f}") for suspect in suspects))


def lists_suspects(text: str) -> bool:
    """Return whether a text is a file written by `write_suspects`."""
    return text.startswith(",".join(Suspect._fields))


def read_suspects(file: Path) -> list[Suspect]:
    """Read a file written by `write_suspects`, sorted by falling confidence.

    Raises:
        DataError: the file has another format.
        OSError: the file cannot be read.
    """
    try:
        suspects = [_suspect(row) for row in read_rows(file, Suspect._fields)[1]]
    except (DataError, ValueError) as error:
        columns = ",".join(Suspect._fields)
        raise DataError(f"{file} is not a file written by `training suspects`: a CSV file with {columns}.") from error
    return sorted(suspects, key=lambda suspect: -suspect.confidence)


def _suspect(row: dict[str, str]) -> Suspect:
    confidence = float(row["confidence"])
    if not 0 <= confidence <= 1:
        raise ValueError("a row has an invalid confidence")
    return Suspect(row["path"], row["label"], row["reading"], confidence)
