"""Drawn texts that resemble some labels, in every style: they keep a network with few labels from forgetting."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.shapes import shape_of
from app.inference.images import Pixels
from training.data.alphabet import expected_counts
from training.drawing.devices import LEGEND_CHARACTERS, READINGS
from training.drawing.scenes import draw_scene
from training.drawing.typefaces import by_family, find_typefaces

TYPEFACES = 150
"""Maximum number of typefaces; more do not help and take seconds to search."""


def draw_like(labels: Sequence[str], unseen: Mapping[str, float], count: int, seed: int) -> list[tuple[Pixels, str]]:
    """Draw texts with the characters and shapes of the labels.

    Args:
        labels: the texts to resemble.
        unseen: other characters to draw, with their expected number in as many labels.
        count: number of pictures.
        seed: the same seed gives the same pictures.

    Returns:
        Pictures, uint8 (height, width, 3), and their texts; empty if no typeface has all characters.
    """
    spelled = [label for label in labels if label]
    frequencies = expected_counts(Counter("".join(spelled))) | dict(unseen)
    characters = set(frequencies)
    if characters <= READINGS:
        characters |= LEGEND_CHARACTERS  # legends appear beside numbers
    families = by_family(find_typefaces("".join(sorted(characters)), limit=TYPEFACES))
    if not families or not spelled:
        return []
    rng, alike = np.random.default_rng(seed), _alike(frequencies)
    return [draw_scene(families, rng, _text_like(_any(spelled, rng), alike, rng)) for _ in range(count)]


def _alike(frequencies: Mapping[str, float]) -> dict[str, tuple[list[str], NDArray[np.float64]]]:
    """Return the characters of each kind, and their shares of it."""
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for character in frequencies:
        kinds[shape_of(character)].append(character)
    weights = {kind: np.array([frequencies[one] for one in characters]) for kind, characters in kinds.items()}
    return {kind: (characters, weights[kind] / weights[kind].sum()) for kind, characters in kinds.items()}


def _text_like(label: str, alike: Mapping[str, tuple[list[str], NDArray[np.float64]]], rng: np.random.Generator) -> str:
    """Return a random text of a label's shape, with characters as frequent as expected."""
    chosen = [alike[shape_of(character)] for character in label]
    return "".join(str(rng.choice(characters, p=shares)) for characters, shares in chosen)


def _any(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]
