"""Evaluation on labelled images, which are read with the service's own code."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.inference.images import ImageError
from app.inference.models.drift import histogram
from app.inference.models.reading import Character, Reading
from app.inference.reader import Picture, Reader
from training.data.dataset import Sample
from training.evaluation.metrics import character_error_rate, character_errors, confusions, word_error_rate

BATCH = 64


@dataclass(frozen=True)
class Line:
    """The reading of one image: its file, label, prediction and confidence (0…1).

    `error` says why an image could not be opened. Test-time augmentation gives no characters.
    """

    path: str
    label: str
    prediction: str
    confidence: float
    error: str | None = None
    characters: tuple[Character, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the text was read exactly."""
        return self.error is None and self.label == self.prediction

    @property
    def cer(self) -> float:
        """Character errors divided by the length of the label."""
        return character_errors(self.label, self.prediction) / max(1, len(self.label))

    def as_json(self) -> dict[str, Any]:
        """Return it without the characters, for reports."""
        error = {} if self.error is None else {"error": self.error}
        known = {"path": self.path, "label": self.label, "prediction": self.prediction, "confidence": self.confidence}
        return known | error


@dataclass(frozen=True)
class Evaluation:
    """All readings of a data set. An image that cannot be opened counts as wrong."""

    lines: list[Line]
    seconds: float

    @property
    def words_right(self) -> int:
        """Number of images read without an error."""
        return sum(line.right for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return it for `evaluate --json`; rates are fractions."""
        texts = [line.label for line in self.lines], [line.prediction for line in self.lines]
        return {
            "images": len(self.lines),
            "words_right": self.words_right,
            "cer": character_error_rate(*texts),
            "wer": word_error_rate(*texts),
            "wrong": [line.as_json() for line in self.lines if not line.right],
            "confusions": [{"label": wanted, "read": got, "count": count} for wanted, got, count in confusions(*texts)],
            "confidence_histogram": histogram(line.confidence for line in self.lines if line.error is None),
            "seconds": round(self.seconds, 3),
        }


def evaluate(
    reader: Reader,
    samples: Sequence[Sample],
    pictures: Sequence[Picture] | None = None,
    *,
    on_line: Callable[[Line], None] = lambda _: None,
) -> Evaluation:
    """Read every image.

    Args:
        reader: reads the images. If it evaluates sums, it reads values, and the labels are values.
        samples: images and labels.
        pictures: the images, if they are already open.
        on_line: called with each image's line, in order, as soon as it is read.
    """
    pictures = pictures or [sample.path for sample in samples]
    started = time.monotonic()
    lines: list[Line] = []
    for start in range(0, len(samples), BATCH):
        chunk = slice(start, start + BATCH)
        for sample, result in zip(samples[chunk], reader.read_many(pictures[chunk]), strict=True):
            lines.append(_line(sample, result))
            on_line(lines[-1])
    return Evaluation(lines, time.monotonic() - started)


def _line(sample: Sample, result: Reading | ImageError) -> Line:
    path = sample.path.as_posix()
    if isinstance(result, ImageError):
        return Line(path, sample.label, "", 0.0, error=str(result))
    if result.sum is not None:
        value = "" if result.sum.value is None else str(result.sum.value)
        return Line(path, sample.label, value, result.sum.confidence)
    return Line(path, sample.label, result.text, result.confidence, characters=result.characters)
