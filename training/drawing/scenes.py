"""Drawn pictures of short text of many kinds, on which the general model is trained."""

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from training.drawing.clutter import add_clutter
from training.drawing.damage import degrade, photograph, warp
from training.drawing.devices import LONGEST_READING, READINGS, dot_display, drums, framed, housed, segment_display
from training.drawing.grounds import ground_of, random_base
from training.drawing.layers import Layer, Picture, contrasting_colour, empty_layer, lay_over
from training.drawing.setting import random_inks, random_setting, set_text
from training.drawing.texts import random_digits, random_reading, random_text
from training.drawing.typefaces import Typeface

HEIGHTS = (18, 90)
MAX_WIDTH = 400
"""Maximum width of a text in pixels; wider ones are scaled down."""
CAP_HEIGHT = 0.72
"""Height of capitals in most typefaces, relative to the em."""
_EMPTY, _DEVICE, _PHOTOGRAPHED, _STRETCHED, _DEGRADED = 0.03, 0.35, 0.6, 0.3, 0.6
_TYPED_X = 0.9
"""Probability that × is labelled with the letter x, which is on keyboards."""

Item = TypeVar("Item")
Families = Sequence[Sequence[Typeface]]


def draw_scene(
    families: Families, rng: np.random.Generator, text: str | None = None, difficulty: float = 1.0
) -> tuple[NDArray[np.uint8], str]:
    """Draw a picture of a text.

    Args:
        families: typefaces to draw with, grouped by family; some must have all characters.
        rng: the source of randomness; the same state gives the same picture.
        text: the text to draw; None draws a random text, possibly an empty one.
        difficulty: 0…1, scales the probabilities of warping, clutter and damage.

    Returns:
        uint8 (height, width, 3), BGR; and the text.
    """
    height = round(float(np.exp(rng.uniform(*np.log(HEIGHTS)))))
    kind = rng.random()
    if kind < _EMPTY and text is None:
        picture, text = _without_text(height, families, rng), ""
    elif kind < _EMPTY + _DEVICE and (text is None or (0 < len(text) <= LONGEST_READING and set(text) <= READINGS)):
        picture, text = _device(height, families, rng, text)
        picture = photograph(picture, rng) if rng.random() < _PHOTOGRAPHED * difficulty else picture
    else:
        drawn = text or random_text(rng)
        picture = _lettered(drawn, height, families, rng, difficulty)
        text = text or (drawn.replace("×", "x") if rng.random() < _TYPED_X else drawn)
    if rng.random() < _STRETCHED * difficulty:
        picture = _stretched(picture, rng)
    picture = degrade(picture, rng) if rng.random() < _DEGRADED * difficulty else np.clip(picture, 0, 255)
    return np.round(picture).astype(np.uint8), text


def _lettered(text: str, height: int, families: Families, rng: np.random.Generator, difficulty: float) -> Picture:
    """Draw letters on a background, with clutter behind or in front of them."""
    face = _face(families, text, rng)
    mixed = rng.random() < 0.2
    faces = [_face(families, character, rng) if mixed else face for character in text]
    fill = rng.uniform(0.45, 0.98)
    base = random_base(rng)
    inks = random_inks(len(text), base, float(rng.choice([40, 70, 100])), rng)
    layer = set_text(text, faces, random_setting(height * fill / CAP_HEIGHT, rng), inks, rng)
    layer = _fitted(layer, height, rng)
    margins = rng.uniform(0, 0.5, 2) * height if rng.random() < 0.8 else rng.uniform(0, 2, 2) * height
    width = max(12, int(layer.shape[1] + margins.sum()))
    whole = empty_layer(height, width)
    _place(whole, layer, round(margins[0]), rng)
    ground = ground_of(base, height, width, rng)
    # The letters' colours are unknown here, so clutter gets colours of similar contrast.
    colours = [contrasting_colour(base, 60, rng) for _ in range(2)]
    hidden, behind = rng.random() < 0.65 * difficulty, rng.random() < 0.25
    if hidden and behind:
        ground = add_clutter(ground, colours, faces, rng)
    picture = lay_over(ground, warp(whole, rng) if rng.random() < 0.5 * difficulty else whole)
    if hidden and not behind:
        picture = add_clutter(picture, colours, faces, rng)
    return framed(picture, rng) if rng.random() < 0.12 else picture


def _stretched(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change the aspect ratio, as resizing all pictures to one size does."""
    height, width = picture.shape[:2]
    wanted = round(width * float(np.exp(rng.uniform(*np.log((0.65, 1.6))))))
    return np.asarray(cv2.resize(picture, (max(12, wanted), height), interpolation=cv2.INTER_AREA))


def _place(whole: Layer, layer: Layer, left: int, rng: np.random.Generator) -> None:
    """Place a text in a layer: centred or off-centre, sometimes cut off by the edge."""
    room = whole.shape[0] - layer.shape[0]
    top = round(room * (0.5 if rng.random() < 0.4 else rng.uniform(0, 1)))
    if rng.random() < 0.06:
        top += round(rng.uniform(-0.15, 0.15) * layer.shape[0])
    rows = slice(max(0, top), min(whole.shape[0], top + layer.shape[0]))
    part = whole[rows, left : left + layer.shape[1]]
    part[:] = layer[rows.start - top : rows.stop - top, : part.shape[1]]


def _fitted(layer: Layer, height: int, rng: np.random.Generator) -> Layer:
    """Shrink a text that is too high or too wide."""
    scale = min(1.0, height * rng.uniform(0.85, 1.0) / layer.shape[0], MAX_WIDTH / layer.shape[1])
    if scale > 0.98:
        return layer if layer.shape[0] <= height else layer[:height]
    size = (max(4, int(layer.shape[1] * scale)), max(4, int(layer.shape[0] * scale)))
    return np.asarray(cv2.resize(layer, size, interpolation=cv2.INTER_AREA))


def _device(height: int, families: Families, rng: np.random.Generator, text: str | None) -> tuple[Picture, str]:
    kind = rng.random() if text is None or text.isdecimal() else rng.uniform(0, 0.6)  # drums show only digits
    if kind < 0.5:
        text = text or random_reading(rng)
        picture = segment_display(text, _any(_any(families, rng), rng), max(16, round(height * 0.8)), rng)
        return housed(picture, rng) if rng.random() < 0.5 else picture, text
    if kind < 0.6:
        text = text or random_text(rng)[:9]
        return dot_display(text, _face(families, text, rng), max(16, round(height * 0.8)), rng), text
    text = text or random_digits(rng, 3, 8)
    picture = drums(text, _face(families, text, rng), max(18, round(height * 0.85)), rng)
    return (framed(picture, rng) if rng.random() < 0.2 else housed(picture, rng)), text


def _without_text(height: int, families: Families, rng: np.random.Generator) -> Picture:
    """Draw a background and clutter only."""
    base = random_base(rng)
    picture = ground_of(base, height, int(height * rng.uniform(1, 6)), rng)
    if rng.random() < 0.3:
        return picture
    colours = [contrasting_colour(base, 60, rng) for _ in range(2)]
    return add_clutter(picture, colours, [_face(families, "x", rng)], rng)


def _face(families: Families, text: str, rng: np.random.Generator) -> Typeface:
    """Return a typeface that has the characters of a text; all families are equally likely."""
    for _ in range(100):
        face = _any(_any(families, rng), rng)
        if set(text) <= set(face.characters):
            return face
    raise ValueError(f"no typeface has all of {text!r}")


def _any(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]
