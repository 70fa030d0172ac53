"""Boxes of characters from the CTC alignment."""

import itertools
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from app.inference.decoding.ctc import Span


class Box(NamedTuple):
    """Rectangle in pixels of the upright image; right and bottom are one past the last pixel."""

    left: int
    top: int
    right: int
    bottom: int

    def to_dict(self) -> dict[str, int]:
        """Return the box for JSON, in a fifth of the time of `_asdict`."""
        return {"left": self.left, "top": self.top, "right": self.right, "bottom": self.bottom}


def character_boxes(spans: Sequence[Span], *, steps: int, width: int, height: int) -> list[Box]:
    """Return a box for each character of a text, as high as the upright image, whose size is given in pixels.

    CTC gives the position of a character, not its width. Boxes of neighbours meet midway, but extend at most three
    quarters of the median distance. The first and last box extend half of it outwards.
    """
    if not spans:
        return []
    pixels_a_step = width / steps
    centres = [(first + last + 1) / 2 * pixels_a_step for _, _, first, last in spans]
    gaps = [right - left for left, right in itertools.pairwise(centres)]
    usual = statistics.median(gaps) if gaps else min(width, height) / 2
    max_half = 0.75 * usual
    halves = [usual / 2, *[min(gap / 2, max_half) for gap in gaps], usual / 2]
    boxes = []
    for centre, left_half, right_half in zip(centres, halves, halves[1:], strict=False):
        left, right = round(centre - left_half), round(centre + right_half)
        # Without min and max, which take as long as all the rest.
        if left < 0:
            left = 0
        elif left >= width:
            left = width - 1
        if right > width:
            right = width
        elif right <= left:
            right = left + 1
        boxes.append(Box(left, 0, right, height))
    return boxes
