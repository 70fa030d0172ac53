"""Labelled images: from a folder or a CSV file to arrays."""

import csv
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from app.inference.images import ACCEPTED, SUFFIXES, Pixels, decode_image, fit_to_input
from app.shared.files import write_atomically
from app.shared.suggestions import did_you_mean

CSV_COLUMNS = ("path", "label")


class DataError(Exception):
    """The data cannot be used; the message says why and what would be right."""


@dataclass(frozen=True, order=True)
class Sample:
    """An image file and the text in it."""

    path: Path
    label: str


def read_samples(source: Path, images: Path | None = None) -> list[Sample]:
    """List the labelled images of a folder or a CSV file, in the same order on every machine.

    In a folder, an image's file name without its ending is the label. A CSV file has the columns `path` and
    `label`; a relative path is looked for beside the CSV file, then below the current folder.

    Args:
        source: the folder or the CSV file.
        images: where the images of a CSV file lie now, by file name, when they were moved.

    Raises:
        DataError: there is no such folder or file, it holds no image, or a row is wrong.
    """
    if images is not None and not images.is_dir():
        raise DataError(f"{images} is not a folder of images.{did_you_mean(images)}")
    if source.is_dir():
        files = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
        samples = [Sample(path, _normalised(path.stem)) for path in files]
    elif source.is_file():
        samples = _read_csv(source, images)
    else:
        raise DataError(f"{source} is neither a folder nor a CSV file.{did_you_mean(source)}")
    if not samples:
        raise DataError(f"{source} holds no images: put files there ({ACCEPTED}), named by their labels.")
    return samples


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """Write samples as `path,label`, so that `read_samples` reads them back."""
    with write_atomically(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        writer.writerows((sample.path.as_posix(), sample.label) for sample in samples)


def vocabulary_of(samples: Sequence[Sample]) -> str:
    """The characters of all labels, sorted by code point: the same on every machine."""
    return "".join(sorted(set().union(*(sample.label for sample in samples))))


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


@dataclass(frozen=True)
class LabelledImages:
    """Images in memory as a network takes them, and their labels.

    Attributes:
        images: uint8 (images, height, width, channels).
        labels: a text for each.
    """

    images: NDArray[np.uint8]
    labels: list[str]


def load_images(samples: Sequence[Sample], *, width: int, height: int, channels: int) -> LabelledImages:
    """Read images as the service reads uploads.

    Raises:
        ImageError: a file is not a readable image.
        OSError: a file cannot be opened.
    """
    batch = np.empty((len(samples), height, width, channels), np.uint8)
    for row, sample in zip(batch, samples, strict=True):
        row[:] = fit_to_input(read_image(sample.path), width=width, height=height, channels=channels)
    return LabelledImages(batch, [sample.label for sample in samples])


def read_image(path: Path) -> Pixels:
    """Read an image file through the service's decoder."""
    return decode_image(path.read_bytes())


def encode_labels(labels: Sequence[str], codec: CtcCodec) -> NDArray[np.int32]:
    """Labels as class numbers, padded at the end with the blank.

    Returns:
        int32 (labels, longest label).
    """
    encoded = np.full((len(labels), max(map(len, labels))), codec.blank_index, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = codec.encode(label)
    return encoded


def data_checksum(samples: Sequence[Sample]) -> str:
    """SHA-256 over every image's bytes and label, whatever the files' names and places; hexadecimal."""
    lines = sorted(f"{hashlib.sha256(sample.path.read_bytes()).hexdigest()} {sample.label}" for sample in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read_csv(source: Path, images: Path | None) -> list[Sample]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(CSV_COLUMNS) <= set(reader.fieldnames or ()):
                raise DataError(f"{source}: the first line must name the columns path,label.")
            rows = [(reader.line_num, row["path"], row["label"]) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{source} is not a CSV file in UTF-8.") from error
    samples = []
    for line, path, label in rows:
        if not path or label is None:
            raise DataError(f"{source}, line {line}: a path and a label are needed.")
        samples.append(Sample(_find_image(Path(path), source, images), _normalised(label)))
    return samples


def _find_image(path: Path, source: Path, images: Path | None) -> Path:
    if images is not None:
        path = images / path.name
    candidates = [path] if path.is_absolute() or images is not None else [source.parent / path, path]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    places = " nor ".join(map(str, candidates))
    raise DataError(f"{source}: there is no {places}. Say where the images lie with --images FOLDER.")


def _normalised(label: str) -> str:
    # File systems and keyboards spell é in two ways; labels have one.
    return unicodedata.normalize("NFC", label)
