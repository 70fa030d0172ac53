"""Test-time augmentation: an image is read several times, each time shifted a little, and the readings vote."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from operator import itemgetter

import cv2
import numpy as np

from app.inference.decoding.ctc import Decoded
from app.inference.images import Pixels
from app.inference.models.model import Reading

ACROSS = (-0.01, -0.005, 0.0, 0.005, 0.01)
"""Shifts to the right, of the width."""
DOWN = (-0.04, 0.0, 0.04)
"""Shifts downwards, of the height."""
VIEWS = len(ACROSS) * len(DOWN)

Read = Callable[[Sequence[Pixels]], Sequence[Reading | Decoded]]
"""Reads images of any size, each to a text and a confidence."""


def read_views(read: Read, images: Iterable[Pixels]) -> list[Decoded]:
    """Return the text of each image to which its views give the most probability, and the mean of that, 0…1."""
    images = list(images)
    votes: list[defaultdict[str, float]] = [defaultdict(float) for _ in images]
    for across, down in product(ACROSS, DOWN):
        readings = read([shift(image, across, down) for image in images])
        for vote, reading in zip(votes, readings, strict=True):
            vote[reading.text] += reading.confidence / VIEWS
    return [Decoded(*max(vote.items(), key=itemgetter(1)), ()) for vote in votes]


def shift(image: Pixels, across: float, down: float) -> Pixels:
    """Move an image by fractions of its size; its border fills what becomes free."""
    height, width = image.shape[:2]
    move = np.array([[1, 0, across * width], [0, 1, down * height]], np.float64)
    return cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
