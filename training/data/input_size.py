"""The size of a network's input, chosen from the training images."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from app.inference.images import ImageError, ImageLimits, check_image, load_image
from app.inference.images.exif import TRANSPOSED
from app.inference.models.input_width import MULTIPLE
from training.data.dataset import Sample

COLUMNS_A_STEP = 4
PIXELS_PER_CHARACTER = 12  # three output steps of four pixels: character, blank, spare
MIN_WIDTH, MAX_WIDTH = 48, 2048
MAX_ENLARGED_WIDTH = 200
"""Small images are not enlarged beyond this width: more columns take time and show nothing more."""
MAX_WIDTH_RATIO = 1.25
"""Maximum ratio of the widest to the narrowest image, at equal height, for resizing all to one size."""
_IMAGES_INSPECTED = 200


def input_size(samples: Sequence[Sample], *, height: int, width: int | None, open_width: bool) -> dict[str, Any]:
    """Choose the size of a network's input.

    Images of similar shape are all resized to the median aspect ratio, or made narrower if they are wide and low.
    Images of varying widths keep their proportions if the network takes any width; the input is then nearly as wide as
    the widest image. The longest label fits in all cases.

    Args:
        samples: the training images; some are inspected, unreadable ones are skipped.
        height: input height in pixels.
        width: input width in pixels; None to choose it.
        open_width: whether the network accepts images of any width.

    Returns:
        Fields of `TrainingConfig`: width, height, keep_proportions.
    """
    if width is not None:
        return {"width": width, "height": height, "keep_proportions": False}
    widths, heights = np.transpose(_sizes(samples) or [(200, 50)])
    narrowest, median, widest = np.quantile(widths / heights, [0.03, 0.5, 0.97])
    keeps = open_width and widest > MAX_WIDTH_RATIO * narrowest
    enlarged = max(MAX_ENLARGED_WIDTH, float(np.median(widths)))
    by_shape = height * float(widest) if keeps else min(height * float(median), enlarged)
    by_label = PIXELS_PER_CHARACTER * max(len(sample.label) for sample in samples)
    multiple = MULTIPLE if keeps else COLUMNS_A_STEP
    columns = round(max(by_shape, by_label) / multiple) * multiple
    return {"width": min(max(columns, MIN_WIDTH), MAX_WIDTH), "height": height, "keep_proportions": bool(keeps)}


def _sizes(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    """Return width and height of images evenly spread over the samples, from their headers."""
    sizes = []
    for sample in samples[:: max(1, len(samples) // _IMAGES_INSPECTED)]:
        with suppress(ImageError):
            image = check_image(load_image(sample.path), ImageLimits())
            turned = image.orientation in TRANSPOSED
            sizes.append((image.height, image.width) if turned else (image.width, image.height))
    return sizes
