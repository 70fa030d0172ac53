"""Where in the image a character stands, from the CTC alignment."""

import itertools
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from app.inference.ctc import Span


class Box(NamedTuple):
    """A rectangle in pixels of the upright image; right and bottom are one past the last pixel."""

    left: int
    top: int
    right: int
    bottom: int


def character_boxes(spans: Sequence[Span], *, steps: int, width: int, height: int) -> list[Box]:
    """A box for each character of a text, as high as the image.

    CTC says where a character is seen, not how wide it is: neighbours are parted midway between them, and
    beside a wide gap or the image's edge a character gets three quarters of the usual distance at most.

    Args:
        spans: the characters with their runs of output steps, left to right.
        steps: how many output steps the network has across the width.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
    """
    if not spans:
        return []
    pixels_a_step = width / steps
    centres = [(span.first_step + span.last_step + 1) / 2 * pixels_a_step for span in spans]
    gaps = [right - left for left, right in itertools.pairwise(centres)]
    usual = statistics.median(gaps) if gaps else min(width, height) / 2
    halves = [usual / 2, *(min(gap / 2, 0.75 * usual) for gap in gaps), usual / 2]
    boxes = []
    for centre, left_half, right_half in zip(centres, halves, halves[1:], strict=False):
        left = round(max(0.0, min(centre - left_half, width - 1)))
        right = round(min(centre + right_half, width))
        boxes.append(Box(left, 0, max(right, left + 1), height))
    return boxes
