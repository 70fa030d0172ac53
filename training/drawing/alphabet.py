"""Pictures of texts like some labels, drawn in every style: what a network with few labels does not forget by."""

from collections.abc import Sequence

import numpy as np

from app.inference.images import Pixels
from training.drawing.devices import READINGS, UNITS
from training.drawing.scenes import draw_scene
from training.drawing.typefaces import by_family, find_typefaces

TYPEFACES = 150
"""More of them teach no more, and take seconds to look through."""


def draw_like(labels: Sequence[str], count: int, seed: int) -> list[tuple[Pixels, str]]:
    """Draw texts of the labels' characters and lengths.

    Returns:
        Pictures, uint8 (height, width, 3), and their texts; none where no typeface has all of the characters.
    """
    characters = set("".join(labels))
    if characters <= READINGS:
        characters = characters.union(*UNITS)  # which stand beside numbers
    families = by_family(find_typefaces("".join(sorted(characters)), most=TYPEFACES))
    if not families:
        return []
    rng = np.random.default_rng(seed)
    return [draw_scene(families, rng, _text_like(labels, rng)) for _ in range(count)]


def _text_like(labels: Sequence[str], rng: np.random.Generator) -> str:
    """Return the characters of some labels, set anew: as long as one of them, and as frequent as in all."""
    length = len(labels[int(rng.integers(len(labels)))])
    chosen = [labels[index] for index in rng.integers(len(labels), size=max(1, length))]
    return "".join(label[int(rng.integers(len(label)))] for label in chosen if label) or labels[0]
