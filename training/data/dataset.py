"""Labelled images: splitting, writing to CSV, loading as arrays."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.bidi import to_visual
from app.inference.decoding.ctc import CtcCodec
from app.inference.images import Pixels, decode_image, fit_to_input, load_image
from app.inference.models.input_width import proportional_width
from app.shared.csv_files import write_rows
from app.shared.errors import UserError
from app.shared.files import write_atomically

CSV_COLUMNS = ("path", "label")
LABELS_FILE = "labels.csv"
"""Name of the file that holds the labels of a folder of images."""
TRAIN, VALIDATION, TEST = SPLITS = ("train", "val", "test")


class DataError(UserError):
    """Unusable data; the message says why and how to fix it."""


@dataclass(frozen=True, order=True)
class Sample:
    """An image file and the text in it."""

    path: Path
    label: str
    split: str = ""
    """The split in the source data: one of `SPLITS`, or "" if the data is not split."""


def read_rows(path: Path, needed: Sequence[str]) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and the rows of a CSV file with a header.

    Args:
        path: the file.
        needed: columns that it must have, the first of which may not be empty in any row.

    Raises:
        DataError: it is not such a file.
        OSError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or ())
            if not set(needed) <= set(names):
                raise DataError(f"{path}: the first line must contain the columns {','.join(needed)}.")
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a UTF-8 CSV file.") from error
    for line, row in rows:
        if not row[needed[0]] or any(row[name] is None for name in needed):
            raise DataError(f"{path}, line {line}: {' or '.join(needed)} is missing.")
        if None in row:
            raise DataError(f"{path}, line {line}: more fields than columns; quote fields that contain a comma.")
    return names, [{name: value or "" for name, value in row.items()} for _, row in rows]


def read_csv(path: Path) -> list[Sample]:
    """Read a file written by `write_csv`; raise like `read_rows`."""
    _, rows = read_rows(path, CSV_COLUMNS)
    return [Sample(Path(row["path"]), row["label"], row.get("split", "")) for row in rows]


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """Write samples as `path,label`, plus `split` if they are split."""
    columns = len(CSV_COLUMNS) + any(sample.split for sample in samples)
    with write_atomically(path) as file:
        write_rows(file, [(*CSV_COLUMNS, "split")[:columns]])
        write_rows(file, ((sample.path.as_posix(), sample.label, sample.split)[:columns] for sample in samples))


def vocabulary_of(samples: Sequence[Sample]) -> str:
    """Return the characters in images of these labels, sorted by code point: the same on every machine."""
    return "".join(sorted(set().union(*(to_visual(sample.label) for sample in samples))))


def split_samples(
    samples: Sequence[Sample], validation_fraction: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Split samples at random into training and validation samples, each sorted and not empty.

    Raises:
        DataError: there are fewer than two samples.
    """
    if len(samples) < 2:
        raise DataError("At least two labelled images are needed: one to train on and one to validate on.")
    held_out = min(max(1, round(len(samples) * validation_fraction)), len(samples) - 1)
    order = np.random.default_rng(seed).permutation(len(samples))
    validation = set(order[:held_out].tolist())
    return (
        [sample for index, sample in enumerate(samples) if index not in validation],
        [sample for index, sample in enumerate(samples) if index in validation],
    )


def divide_samples(
    samples: Sequence[Sample], validation_fraction: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Return training and validation samples: as the data is split, otherwise at random.

    Test samples are in neither.

    Raises:
        DataError: nothing is left to train on.
    """
    known = [sample for sample in samples if sample.split in {"", TRAIN}]
    validation = [sample for sample in samples if sample.split == VALIDATION]
    if not validation:
        return split_samples(known, validation_fraction, seed)
    if not known:
        raise DataError(f"No image is left for training: all are in {VALIDATION} or {TEST}.")
    return known, validation


@dataclass(frozen=True)
class LabelledImages:
    """Images in memory, resized to a network's input, and their labels.

    Attributes:
        images: uint8 (images, height, width, channels).
        labels: one text per image, its characters in visual order, left to right.
    """

    images: NDArray[np.uint8]
    labels: list[str]


class InputSize(NamedTuple):
    """Size of a network's input; images that keep their proportions are padded on the right with their last column."""

    width: int
    height: int
    channels: int
    keep_proportions: bool = False


def load_images(samples: Sequence[Sample], size: InputSize) -> LabelledImages:
    """Load images as the service decodes uploads.

    Raises:
        ImageError: a file cannot be read.
    """
    pictures = ((read_image(sample.path), to_visual(sample.label)) for sample in samples)
    return fit_images(pictures, len(samples), size)


def fit_images(pictures: Iterable[tuple[Pixels, str]], count: int, size: InputSize) -> LabelledImages:
    """Fit `count` pictures and their labels to the size of a network's input."""
    batch, labels = np.empty((count, size.height, size.width, size.channels), np.uint8), []
    for row, (picture, label) in zip(batch, pictures, strict=True):
        row[:] = fit_image(picture, size)
        labels.append(label)
    return LabelledImages(batch, labels)


def fit_image(image: Pixels, size: InputSize) -> Pixels:
    """Fit an image to the size of a network's input."""
    own_width = fitted_width(image, size)
    fitted = fit_to_input(image, width=own_width, height=size.height, channels=size.channels)
    return np.pad(fitted, ((0, 0), (0, size.width - own_width), (0, 0)), "edge")


def fitted_width(image: Pixels, size: InputSize) -> int:
    """Return the number of columns that the image itself, without padding, fills in `fit_image`."""
    if not size.keep_proportions:
        return size.width
    rows, columns = image.shape[:2]
    return proportional_width(columns, rows, input_height=size.height, widest=size.width)


def open_image(path: Path) -> tuple[bytes, Pixels]:
    """Return an image file's content and its pixels, decoded as the service does.

    Raises:
        ImageError: the file cannot be read.
    """
    content = load_image(path)
    return content, decode_image(content)


def read_image(path: Path) -> Pixels:
    """Return the pixels of an image file; see `open_image`."""
    return open_image(path)[1]


def encode_labels(labels: Sequence[str], codec: CtcCodec) -> NDArray[np.int32]:
    """Return labels as class indices, padded at the end with the blank.

    Returns:
        int32 (labels, longest label).
    """
    encoded = np.full((len(labels), max(map(len, labels))), codec.blank_index, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = codec.encode(label)
    return encoded


def data_checksum(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 (hexadecimal) of all images' bytes and labels, independent of file names and locations."""
    checksums = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in samples]
    return checksum_of(checksums, [sample.label for sample in samples])


def checksum_of(checksums: Sequence[str], labels: Sequence[str]) -> str:
    """Return the same as `data_checksum`, given the SHA-256 of each image file."""
    lines = sorted(map(" ".join, zip(checksums, labels, strict=True)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
