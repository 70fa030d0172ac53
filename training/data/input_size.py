"""The size of a network's input, from the images that it is to read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.inference.images import ImageError
from training.data.dataset import Sample, read_image

HEIGHT = 50
PIXELS_A_CHARACTER = 12  # three output steps of four pixels: the character, a blank, and room to spare
MULTIPLE = 4
NARROWEST, WIDEST = 48, 2048
_LOOKED_AT = 200


def with_input_size(samples: Sequence[Sample], options: dict[str, Any]) -> dict[str, Any]:
    """Options with width and height filled in where they leave them open (None).

    All images are stretched to one size. It is 50 pixels high, as what the shipped weights were trained on,
    and so wide that the images keep their shape (that of the median) and the longest label has room.

    Args:
        samples: the images to train on; some of them are looked at. Unreadable ones are passed over.
        options: fields of `TrainingConfig`.
    """
    height = options.get("height") or HEIGHT
    width = options.get("width") or _width(samples, height)
    return options | {"width": width, "height": height}


def _width(samples: Sequence[Sample], height: int) -> int:
    by_shape = height * float(np.median(_aspect_ratios(samples) or [4.0]))
    by_label = PIXELS_A_CHARACTER * max(len(sample.label) for sample in samples)
    width = round(max(by_shape, by_label) / MULTIPLE) * MULTIPLE
    return min(max(width, NARROWEST), WIDEST)


def _aspect_ratios(samples: Sequence[Sample]) -> list[float]:
    """Width over height of images evenly spread over the samples."""
    ratios = []
    for sample in samples[:: max(1, len(samples) // _LOOKED_AT)]:
        try:
            height, width = read_image(sample.path).shape[:2]
        except (ImageError, OSError):
            continue
        ratios.append(width / height)
    return ratios
