"""Looks labelled data over before anything is trained on it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.inference.decoding.ctc import CtcCodec
from app.inference.images import ImageError
from training.data.dataset import Sample, read_image, vocabulary_of

RARE = 5


@dataclass
class DataReport:
    """What was found. Errors stop a training; warnings are worth a look.

    Attributes:
        images: how many labelled images there are.
        vocabulary: their characters, sorted.
        label_lengths: how many labels have how many characters.
        sizes: how many images have which (width, height), most frequent first.
    """

    images: int
    vocabulary: str
    label_lengths: dict[int, int]
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For `validate --json`."""
        sizes = [{"width": width, "height": height, "images": count} for (width, height), count in self.sizes.items()]
        return asdict(self) | {"sizes": sizes}


def validate_samples(samples: Sequence[Sample], max_steps: int) -> DataReport:
    """Check labels and images.

    Args:
        samples: the labelled images.
        max_steps: the output steps of the network; a label that needs more cannot be learned.
    """
    report = DataReport(
        images=len(samples),
        vocabulary=vocabulary_of(samples),
        label_lengths=dict(sorted(Counter(len(sample.label) for sample in samples).items())),
    )
    _check_labels(samples, max_steps, report)
    _check_images(samples, report)
    return report


def _check_labels(samples: Sequence[Sample], max_steps: int, report: DataReport) -> None:
    codec = CtcCodec(report.vocabulary)
    for sample in samples:
        if not sample.label.strip():
            report.errors.append(f"{sample.path}: the label is empty")
        elif (needed := codec.steps_needed(sample.label)) > max_steps:
            report.errors.append(
                f"{sample.path}: the label is too long: it needs {needed} output steps and the network has "
                f"{max_steps}; a greater --width gives more"
            )
    counts = Counter(character for sample in samples for character in sample.label)
    rare = {character: count for character, count in sorted(counts.items()) if count < RARE}
    if rare:
        listed = ", ".join(f"{character!r} {count}" for character, count in rare.items())
        report.warnings.append(f"characters seen fewer than {RARE} times, so hardly learned: {listed}")


def _check_images(samples: Sequence[Sample], report: DataReport) -> None:
    sizes: Counter[tuple[int, int]] = Counter()
    same_pixels: dict[bytes, list[Sample]] = defaultdict(list)
    for sample in samples:
        try:
            pixels = read_image(sample.path)
        except ImageError as error:
            report.errors.append(f"{sample.path}: {error}")
        except OSError as error:
            report.errors.append(f"{sample.path}: cannot be read: {error.strerror}")
        else:
            sizes[pixels.shape[1], pixels.shape[0]] += 1
            same_pixels[hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()].append(sample)
    report.sizes = dict(sizes.most_common())
    for group in same_pixels.values():
        _check_duplicates(group, report)


def _check_duplicates(group: Sequence[Sample], report: DataReport) -> None:
    if len(group) < 2:
        return
    labels = sorted({sample.label for sample in group})
    files = ", ".join(_names([sample.path for sample in group]))
    if len(labels) > 1:
        report.errors.append(f"the same picture with different labels ({', '.join(labels)}): {files}")
    else:
        report.warnings.append(f"the same picture {len(group)} times: {files}")


def _names(paths: Sequence[Path], most: int = 5) -> list[str]:
    names = [str(path) for path in paths[:most]]
    return names if len(paths) <= most else [*names, f"and {len(paths) - most} more"]
