"""The size of a network's input, from the images that it is to read."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from app.inference.images import ImageError, ImageLimits, check_image, load_image
from app.inference.images.exif import LYING
from app.inference.models.input_width import MULTIPLE
from training.data.dataset import Sample

COLUMNS_A_STEP = 4
PIXELS_A_CHARACTER = 12  # three output steps of four pixels: the character, a blank, and room to spare
NARROWEST, WIDEST = 48, 2048
LIKE = 1.25
"""How many times as wide as the narrowest images the widest may be, at one height, to be resized to one size."""
_LOOKED_AT = 200


def input_size(samples: Sequence[Sample], *, height: int, width: int | None, open_width: bool) -> dict[str, Any]:
    """Choose the size of a network's input.

    Images of about one shape are all resized to the width that keeps the shape of the median. Where widths vary and
    the network takes any, images keep their proportions, and the width is that of nearly the widest. The longest label
    has room in either.

    Args:
        samples: the images to train on; some of them are looked at. Unreadable ones are passed over.
        height: of the input, in pixels.
        width: of the input, in pixels; None to choose it.
        open_width: whether the network takes images of any width.

    Returns:
        Fields of `TrainingConfig`: width, height, keep_proportions.
    """
    if width is not None:
        return {"width": width, "height": height, "keep_proportions": False}
    ratios = _aspect_ratios(samples) or [4.0]
    narrowest, median, widest = np.quantile(ratios, [0.03, 0.5, 0.97])
    keeps = open_width and widest > LIKE * narrowest
    by_shape = height * float(widest if keeps else median)
    by_label = PIXELS_A_CHARACTER * max(len(sample.label) for sample in samples)
    multiple = MULTIPLE if keeps else COLUMNS_A_STEP
    columns = round(max(by_shape, by_label) / multiple) * multiple
    return {"width": min(max(columns, NARROWEST), WIDEST), "height": height, "keep_proportions": bool(keeps)}


def _aspect_ratios(samples: Sequence[Sample]) -> list[float]:
    """Return width over height of images evenly spread over the samples, by their headers."""
    ratios = []
    for sample in samples[:: max(1, len(samples) // _LOOKED_AT)]:
        with suppress(ImageError):
            image = check_image(load_image(sample.path), ImageLimits())
            ratio = image.width / image.height
            ratios.append(1 / ratio if image.orientation in LYING else ratio)
    return ratios
