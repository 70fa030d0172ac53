"""Where in the image a character stands, from the CTC alignment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.inference.ctc import Span


@dataclass(frozen=True, slots=True)
class Box:
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
    centres = np.array([(span.first_step + span.last_step + 1) / 2 for span in spans]) * (width / steps)
    gaps = np.diff(centres)
    usual = float(np.median(gaps)) if len(gaps) else min(width / 2, height / 2)
    halves = np.minimum(gaps / 2, 0.75 * usual)
    edge = usual / 2
    lefts = np.clip(centres - np.concatenate([[edge], halves]), 0, width - 1)
    rights = np.clip(centres + np.concatenate([halves, [edge]]), 1, width)
    return [
        Box(round(left), 0, max(round(right), round(left) + 1), height)
        for left, right in zip(lefts.tolist(), rights.tolist(), strict=True)
    ]
