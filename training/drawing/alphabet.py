"""Drawn texts that resemble some labels, in every style: they keep a network with few labels from forgetting."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from app.inference.decoding.shapes import shape_of
from app.inference.images import Pixels
from training.drawing.devices import READINGS, UNITS
from training.drawing.scenes import draw_scene
from training.drawing.typefaces import by_family, find_typefaces

TYPEFACES = 150
"""Maximum number of typefaces; more do not help and take seconds to search."""


def draw_like(labels: Sequence[str], count: int, seed: int) -> list[tuple[Pixels, str]]:
    """Draw texts with the characters and shapes of the labels.

    Returns:
        Pictures, uint8 (height, width, 3), and their texts; empty if no typeface has all characters.
    """
    spelled = [label for label in labels if label]
    characters = set("".join(spelled))
    if characters <= READINGS:
        characters = characters.union(*UNITS)  # units appear beside numbers
    families = by_family(find_typefaces("".join(sorted(characters)), limit=TYPEFACES))
    if not families or not spelled:
        return []
    rng = np.random.default_rng(seed)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for character in "".join(spelled):
        alike[shape_of(character)].append(character)
    return [draw_scene(families, rng, _text_like(_any(spelled, rng), alike, rng)) for _ in range(count)]


def _text_like(label: str, alike: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    """Return a random text of a label's shape, with characters as frequent as in all labels."""
    return "".join(_any(alike[shape_of(character)], rng) for character in label)


def _any(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]
