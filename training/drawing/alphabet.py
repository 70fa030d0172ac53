"""Pictures of texts like some labels, drawn in every style: what a network with few labels does not forget by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from app.inference.decoding.shapes import shape_of
from app.inference.images import Pixels
from training.drawing.devices import READINGS, UNITS
from training.drawing.scenes import draw_scene
from training.drawing.typefaces import by_family, find_typefaces

TYPEFACES = 150
"""More of them teach no more, and take seconds to look through."""


def draw_like(labels: Sequence[str], count: int, seed: int) -> list[tuple[Pixels, str]]:
    """Draw texts of the labels' characters and shapes.

    Returns:
        Pictures, uint8 (height, width, 3), and their texts; none where no typeface has all of the characters.
    """
    spelled = [label for label in labels if label]
    characters = set("".join(spelled))
    if characters <= READINGS:
        characters = characters.union(*UNITS)  # which stand beside numbers
    families = by_family(find_typefaces("".join(sorted(characters)), most=TYPEFACES))
    if not families or not spelled:
        return []
    rng = np.random.default_rng(seed)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for character in "".join(spelled):
        alike[shape_of(character)].append(character)
    return [draw_scene(families, rng, _text_like(_any(spelled, rng), alike, rng)) for _ in range(count)]


def _text_like(label: str, alike: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    """Return a text of a label's shape: each digit is another one, each sign stays. What is frequent stays so."""
    return "".join(_any(alike[shape_of(character)], rng) for character in label)


def _any(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]
