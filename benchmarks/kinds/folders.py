"""Folders of labelled images, one per kind, each split into a training pool and a test set."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.shared.suggestions import did_you_mean
from benchmarks.figures import BenchmarkError
from training.data.dataset import DataError, Sample
from training.data.layouts import read_samples

TEST, POOL = "test.csv", "pool.csv"
ALL = "all"


@dataclass(frozen=True)
class Kind:
    """A kind of image."""

    name: str
    test: list[Sample]
    """Only read."""
    pool: list[Sample]
    """For training; the first ones with their labels."""

    @property
    def is_latin(self) -> bool:
        """Whether all letters of all labels are Latin; digits and signs belong to every script."""
        characters = set().union(*(sample.label for sample in [*self.test, *self.pool]))
        return all(unicodedata.name(one).startswith("LATIN") for one in characters if one.isalpha())

    @property
    def checksum(self) -> str:
        """SHA-256 of all images and labels in order, hexadecimal."""
        digest = hashlib.sha256()
        for part in (self.test, self.pool):
            for sample in part:
                digest.update(hashlib.sha256(sample.path.read_bytes()).digest() + sample.label.encode() + b"\n")
            digest.update(b"\n")
        return digest.hexdigest()

    def labelled(self, labels: str) -> list[Sample]:
        """Return the first `labels` images of the pool.

        Args:
            labels: a number, or "all".

        Raises:
            BenchmarkError: the pool has fewer images.
        """
        count = len(self.pool) if labels == ALL else int(labels)
        if count > len(self.pool):
            raise BenchmarkError(f"{self.name}: the pool has only {len(self.pool)} images, not {count}")
        return self.pool[:count]


def read_kinds(folder: Path, names: Sequence[str] | None = None) -> list[Kind]:
    """Return the kinds in a folder, sorted by name, with absolute image paths.

    Args:
        folder: has a folder per kind, in which test.csv and pool.csv list images as `path,label`.
        names: names of the kinds to read; None reads all.

    Raises:
        BenchmarkError: a kind does not exist, or its images cannot be listed.
    """
    found = sorted(path.parent.name for path in folder.glob(f"*/{TEST}"))
    if not found:
        raise BenchmarkError(f"{folder} has no kinds: folders with {TEST} and {POOL}.{did_you_mean(folder)}")
    if unknown := sorted(set(names or ()) - set(found)):
        raise BenchmarkError(f"unknown kind: {', '.join(unknown)}; choose from {', '.join(found)}")
    whole = folder.absolute()
    try:
        return [
            Kind(name, read_samples(whole / name / TEST), read_samples(whole / name / POOL))
            for name in found
            if names is None or name in names
        ]
    except DataError as error:
        raise BenchmarkError(str(error)) from error
