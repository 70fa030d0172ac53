"""Reads labelled images with a model folder, through the service's own code, and counts what is wrong."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.inference.images import ImageError, Pixels
from app.inference.models.drift import histogram
from app.inference.models.model import ImageToTextModel
from training.data.dataset import Sample, read_image
from training.evaluation.metrics import character_error_rate, character_errors, confusions, word_error_rate
from training.evaluation.views import read_views

BATCH = 64


@dataclass(frozen=True)
class Line:
    """One image: what it says and what was read; `error` where it could not be opened."""

    path: str
    label: str
    prediction: str
    confidence: float
    error: str | None = None

    @property
    def right(self) -> bool:
        """Whether the text was read exactly."""
        return self.error is None and self.label == self.prediction

    @property
    def cer(self) -> float:
        """Character errors over the label's length."""
        return character_errors(self.label, self.prediction) / max(1, len(self.label))


@dataclass(frozen=True)
class Evaluation:
    """How well a model reads labelled images. An image that cannot be opened counts as read wrong."""

    lines: list[Line]
    seconds: float

    @property
    def words_right(self) -> int:
        """How many images were read exactly."""
        return sum(line.right for line in self.lines)

    @property
    def cer(self) -> float:
        """Character error rate, as a fraction."""
        return character_error_rate(*self._texts())

    @property
    def wer(self) -> float:
        """Word error rate, as a fraction."""
        return word_error_rate(*self._texts())

    @property
    def confusions(self) -> list[tuple[str, str, int]]:
        """(character of the label, what was read, how often), most frequent first."""
        return confusions(*self._texts())

    def as_json(self) -> dict[str, Any]:
        """For `evaluate --json`: rates are fractions."""
        return {
            "images": len(self.lines),
            "words_right": self.words_right,
            "cer": self.cer,
            "wer": self.wer,
            "wrong": [
                {key: value for key, value in asdict(line).items() if value is not None}
                for line in self.lines
                if not line.right
            ],
            "confusions": [{"label": wanted, "read": got, "count": count} for wanted, got, count in self.confusions],
            "confidence_histogram": histogram(line.confidence for line in self.lines if line.error is None),
            "seconds": round(self.seconds, 3),
        }

    def _texts(self) -> tuple[list[str], list[str]]:
        return [line.label for line in self.lines], [line.prediction for line in self.lines]


def evaluate(
    folder: Path,
    samples: Sequence[Sample],
    on_line: Callable[[Line], None] | None = None,
    *,
    in_views: bool = False,
) -> Evaluation:
    """Read every image with the model of a folder.

    Args:
        folder: holds model.onnx and configs.yaml.
        samples: images and labels.
        on_line: is called with each image's line, in order, as soon as it is read.
        in_views: read each image several times, as `training.evaluation.views` does and the service does not.

    Raises:
        ModelError: the folder holds no usable model.
    """
    model = ImageToTextModel(folder)
    started = time.monotonic()
    lines: list[Line] = []
    for start in range(0, len(samples), BATCH):
        for line in _read(model, samples[start : start + BATCH], in_views):
            lines.append(line)
            if on_line is not None:
                on_line(line)
    return Evaluation(lines, time.monotonic() - started)


def _read(model: ImageToTextModel, samples: Sequence[Sample], in_views: bool) -> list[Line]:
    opened = [_open(sample) for sample in samples]
    images = [image for image in opened if not isinstance(image, str)]
    if in_views:
        readings = iter(read_views(model.predict, images))
    else:
        readings = iter([(reading.text, reading.confidence) for reading in model.predict(images)])
    lines = []
    for sample, image in zip(samples, opened, strict=True):
        if isinstance(image, str):
            lines.append(Line(sample.path.as_posix(), sample.label, "", 0.0, error=image))
        else:
            lines.append(Line(sample.path.as_posix(), sample.label, *next(readings)))
    return lines


def _open(sample: Sample) -> Pixels | str:
    try:
        return read_image(sample.path)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
