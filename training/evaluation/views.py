"""Test-time augmentation: an image is read in several shifted copies, which vote."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from operator import itemgetter

import cv2
import numpy as np

from app.inference.decoding.ctc import Decoded
from app.inference.images import Pixels
from app.inference.models.reading import Reading

ACROSS = (-0.01, -0.005, 0.0, 0.005, 0.01)
"""Horizontal shifts, relative to the width."""
DOWN = (-0.04, 0.0, 0.04)
"""Vertical shifts, relative to the height."""
VIEWS = len(ACROSS) * len(DOWN)

Read = Callable[[Sequence[Pixels]], Sequence[Reading | Decoded]]
"""Reads images of any size and returns a text and a confidence for each."""


def read_views(read: Read, images: Iterable[Pixels]) -> list[Decoded]:
    """Return each image's most probable text over its copies, and the mean of its probability, 0…1."""
    images = list(images)
    votes: list[defaultdict[str, float]] = [defaultdict(float) for _ in images]
    for across, down in product(ACROSS, DOWN):
        readings = read([shift(image, across, down) for image in images])
        for vote, reading in zip(votes, readings, strict=True):
            vote[reading.text] += reading.confidence / VIEWS
    return [Decoded(*max(vote.items(), key=itemgetter(1)), ()) for vote in votes]


def shift(image: Pixels, across: float, down: float) -> Pixels:
    """Shift an image by fractions of its size; replicate its border."""
    height, width = image.shape[:2]
    move = np.array([[1, 0, across * width], [0, 1, down * height]], np.float64)
    return cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
