"""Labelled images: divided, written to a CSV file, loaded as arrays."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
"""What the labels of a folder of images are written to, in it."""
TRAIN, VALIDATION, TEST = SPLITS = ("train", "val", "test")


class DataError(UserError):
    """The data cannot be used; the message says why and what would be right."""


@dataclass(frozen=True, order=True)
class Sample:
    """An image file and the text in it."""

    path: Path
    label: str
    split: str = ""
    """The part of the data that it was given in: one of `SPLITS`, or "" where the data is not divided."""


def read_csv(path: Path) -> list[Sample]:
    """Read back what `write_csv` has written.

    Raises:
        DataError: the file is something else.
        OSError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error):
        rows = [{}]
    if any(row.get(column) is None for row in rows for column in CSV_COLUMNS):
        raise DataError(f"{path} is not a CSV file with the columns {','.join(CSV_COLUMNS)}.")
    return [Sample(Path(row["path"]), row["label"], row.get("split", "")) for row in rows]


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """Write samples as `path,label`, with the column `split` if they are divided."""
    columns = len(CSV_COLUMNS) + any(sample.split for sample in samples)
    with write_atomically(path) as file:
        write_rows(file, [(*CSV_COLUMNS, "split")[:columns]])
        write_rows(file, ((sample.path.as_posix(), sample.label, sample.split)[:columns] for sample in samples))


def vocabulary_of(samples: Sequence[Sample]) -> str:
    """Return the characters that images of these labels show, sorted by code point: the same on every machine."""
    return "".join(sorted(set().union(*(to_visual(sample.label) for sample in samples))))


def split_samples(
    samples: Sequence[Sample], validation_fraction: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Divide samples at random into a training and a validation part, each sorted; at least one in each.

    Raises:
        DataError: there are fewer than two.
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
    """Return the parts to train on and to validate by: those that the data comes in, otherwise at random.

    What the data keeps for tests is in neither.

    Raises:
        DataError: nothing is left to train on.
    """
    known = [sample for sample in samples if sample.split in {"", TRAIN}]
    validation = [sample for sample in samples if sample.split == VALIDATION]
    if not validation:
        return split_samples(known, validation_fraction, seed)
    if not known:
        raise DataError(f"No image is left to train on: all are in {VALIDATION} or {TEST}.")
    return known, validation


@dataclass(frozen=True)
class LabelledImages:
    """Images in memory as a network takes them, and their labels.

    Attributes:
        images: uint8 (images, height, width, channels).
        labels: a text for each, with its characters from left to right.
    """

    images: NDArray[np.uint8]
    labels: list[str]


def load_images(
    samples: Sequence[Sample], *, width: int, height: int, channels: int, keep_proportions: bool = False
) -> LabelledImages:
    """Read images as the service reads uploads.

    Those that keep their proportions are continued to the right by their last column.

    Raises:
        ImageError: a file cannot be read.
    """
    pictures = ((read_image(sample.path), to_visual(sample.label)) for sample in samples)
    return fit_images(
        pictures, len(samples), width=width, height=height, channels=channels, keep_proportions=keep_proportions
    )


def fit_images(
    pictures: Iterable[tuple[Pixels, str]],
    count: int,
    *,
    width: int,
    height: int,
    channels: int,
    keep_proportions: bool = False,
) -> LabelledImages:
    """Bring so many pictures to the size of a network's input."""
    batch, labels = np.empty((count, height, width, channels), np.uint8), []
    for row, (picture, label) in zip(batch, pictures, strict=True):
        row[:] = fit_image(picture, width, height, channels, keep_proportions)
        labels.append(label)
    return LabelledImages(batch, labels)


def fit_image(image: Pixels, width: int, height: int, channels: int, keep_proportions: bool) -> Pixels:
    """Bring an image to the size of a network's input; see `load_images`."""
    own_width = fitted_width(image, width, height, keep_proportions)
    fitted = fit_to_input(image, width=own_width, height=height, channels=channels)
    return np.pad(fitted, ((0, 0), (0, width - own_width), (0, 0)), "edge")


def fitted_width(image: Pixels, width: int, height: int, keep_proportions: bool) -> int:
    """Return the columns of `fit_image` that the image itself takes."""
    if not keep_proportions:
        return width
    rows, columns = image.shape[:2]
    return proportional_width(columns, rows, input_height=height, widest=width)


def open_image(path: Path) -> tuple[bytes, Pixels]:
    """Return the content of an image's file, and its pixels through the service's decoder.

    Raises:
        ImageError: it cannot be read.
    """
    content = load_image(path)
    return content, decode_image(content)


def read_image(path: Path) -> Pixels:
    """Return the pixels of an image's file; see `open_image`."""
    return open_image(path)[1]


def encode_labels(labels: Sequence[str], codec: CtcCodec) -> NDArray[np.int32]:
    """Return labels as class numbers, padded at the end with the blank.

    Returns:
        int32 (labels, longest label).
    """
    encoded = np.full((len(labels), max(map(len, labels))), codec.blank_index, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = codec.encode(label)
    return encoded


def data_checksum(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 over every image's bytes and label, whatever the files' names and places; hexadecimal."""
    checksums = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in samples]
    return checksum_of(checksums, [sample.label for sample in samples])


def checksum_of(checksums: Sequence[str], labels: Sequence[str]) -> str:
    """Return what `data_checksum` does, from the checksums of the images' files."""
    lines = sorted(map(" ".join, zip(checksums, labels, strict=True)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
