"""Typesetting of a text: faces, size, spacing, disorder and ink."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training.drawing.layers import Colour, Layer, Mask, Picture, contrasting_colour, empty_layer, set_ink, smooth_noise
from training.drawing.typefaces import SIZES, Typeface, glyph

MARGIN = 1.5
"""Size of a tile relative to its glyph, leaving space for rotation and thickening."""


@dataclass(frozen=True)
class Setting:
    """How a text is set; lengths are relative to the letters' size unless stated otherwise.

    Attributes:
        size: pixels per em.
        gap: between neighbours; negative if they overlap.
        by_advance: whether the typeface's spacing is used; otherwise the gap separates the letters' ink.
        stretch: width over height, relative to the typeface's.
        jitter: variation of sizes, heights and distances, 0…1.
        angle: maximum rotation of each letter, in radians.
        shear: maximum slant of each letter.
        bend: maximum deviation of the baseline from a line.
        slope: of the baseline.
        smooth: whether edges are anti-aliased.
    """

    size: float
    gap: float
    by_advance: bool
    stretch: float
    jitter: float
    angle: float
    shear: float
    bend: float
    slope: float
    smooth: bool


def random_setting(size: float, rng: np.random.Generator) -> Setting:
    """Return a random setting, a third of the time an orderly one."""
    orderly = rng.random() < 0.35
    disorder = 0.0 if orderly else rng.uniform(0.1, 1)
    close = rng.random()
    return Setting(
        size=size,
        gap=rng.uniform(-0.02, 0.06) if orderly else rng.uniform(-0.2, 0.0) if close < 0.3 else rng.uniform(0, 0.45),
        by_advance=bool(rng.random() < (0.8 if orderly else 0.3)),
        stretch=rng.uniform(0.75, 1.3),
        jitter=disorder * rng.uniform(0, 0.3),
        angle=disorder * rng.uniform(0, 0.55) if rng.random() < 0.7 else 0.0,
        shear=rng.uniform(-0.3, 0.3) if rng.random() < 0.3 else 0.0,
        bend=disorder * rng.uniform(0, 0.25) if rng.random() < 0.4 else 0.0,
        slope=rng.uniform(-0.12, 0.12) if rng.random() < 0.25 else 0.0,
        smooth=bool(rng.random() < 0.85),
    )


def set_text(
    text: str, faces: Sequence[Typeface], setting: Setting, inks: Sequence["Ink"], rng: np.random.Generator
) -> Layer:
    """Set a text, each character in its typeface and ink.

    Returns:
        A layer that just fits the text.
    """
    source = next((size for size in SIZES if size >= setting.size), SIZES[-1])
    scale = setting.size / source
    glyphs = [glyph(face, c, source, smooth=setting.smooth) for face, c in zip(faces, text, strict=True)]
    scales = scale * (1 + setting.jitter * rng.uniform(-1, 1, len(text)))
    xs, y_of = [], _baseline(len(text), setting, rng)
    x = 0.0
    for drawn, factor in zip(glyphs, scales, strict=True):
        pen = drawn.advance if setting.by_advance else drawn.mask.shape[1]
        width = pen * factor * setting.stretch
        offset = drawn.left * factor * setting.stretch if setting.by_advance else 0.0
        xs.append(x + offset + drawn.mask.shape[1] * factor * setting.stretch / 2)
        x += width + setting.size * (setting.gap + setting.jitter * 0.5 * rng.uniform(-1, 1))
        x = max(x, xs[-1] + 0.15 * width)  # keep the order of the letters recognisable
    placed = []
    for index, (drawn, factor, ink) in enumerate(zip(glyphs, scales, inks, strict=True)):
        middle = (drawn.top + drawn.mask.shape[0] / 2) * factor + y_of[index]
        tile = _transformed(drawn.mask, factor, setting, float(rng.uniform(-1, 1)) * setting.angle)
        placed.append((*ink(tile, rng), xs[index], middle))
    left = min(at - mask.shape[1] / 2 for mask, _, at, _ in placed)
    top = min(at - mask.shape[0] / 2 for mask, _, _, at in placed)
    right = max(at + mask.shape[1] / 2 for mask, _, at, _ in placed)
    bottom = max(at + mask.shape[0] / 2 for mask, _, _, at in placed)
    layer = empty_layer(int(bottom - top) + 2, int(right - left) + 2)
    order = rng.permutation(len(placed)) if rng.random() < 0.3 else range(len(placed))
    for index in order:
        mask, colour, x, y = placed[index]
        set_ink(layer, mask, round(x - mask.shape[1] / 2 - left), round(y - mask.shape[0] / 2 - top), colour)
    return _cropped(layer)


Ink = Callable[[Mask, np.random.Generator], tuple[Mask, Colour | Picture]]
"""A function that returns a letter's final mask and its colour."""


def random_inks(count: int, ground: Colour, min_difference: float, rng: np.random.Generator) -> list[Ink]:
    """Return an ink for each of `count` letters, with enough contrast to the background to be legible."""
    shape = _SHAPES[int(rng.choice(len(_SHAPES), p=_SHARES))]
    if rng.random() < 0.3:
        colours = [contrasting_colour(ground, min_difference, rng) for _ in range(count)]
    else:
        colours = [contrasting_colour(ground, min_difference, rng)] * count
    other = contrasting_colour(ground, min_difference / 2, rng)
    thickness = int(rng.integers(1, 4))
    return [shape(colour, other, thickness) for colour in colours]


def _solid(colour: Colour, _other: Colour, _thickness: int) -> Ink:
    return lambda mask, _rng: (mask, colour)


def _bold(colour: Colour, _other: Colour, thickness: int) -> Ink:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (min(3, 1 + thickness), min(3, 1 + thickness)))
    return lambda mask, _rng: (cv2.dilate(mask, kernel), colour)


def _thin(colour: Colour, _other: Colour, _thickness: int) -> Ink:
    def ink(mask: Mask, _rng: np.random.Generator) -> tuple[Mask, Colour]:
        thinner = cv2.erode(mask, np.ones((2, 2), np.uint8))
        # Hairlines would vanish.
        return (thinner if thinner.sum() > 0.45 * mask.sum() else mask), colour

    return ink


def _hollow(colour: Colour, _other: Colour, thickness: int) -> Ink:
    kernel = np.ones((2, 2) if thickness < 3 else (3, 3), np.uint8)
    return lambda mask, _rng: (cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, kernel), colour)


def _outlined(colour: Colour, other: Colour, thickness: int) -> Ink:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (1 + 2 * min(thickness, 2),) * 2)

    def ink(mask: Mask, _rng: np.random.Generator) -> tuple[Mask, Picture]:
        inside = mask[:, :, np.newaxis]
        return cv2.dilate(mask, kernel), colour * inside + other * (1 - inside)

    return ink


def _shadowed(colour: Colour, other: Colour, thickness: int) -> Ink:
    def ink(mask: Mask, _rng: np.random.Generator) -> tuple[Mask, Picture]:
        shadow = np.zeros_like(mask)
        shadow[thickness:, thickness:] = mask[:-thickness, :-thickness]
        inside = mask[:, :, np.newaxis]
        return np.maximum(mask, 0.7 * shadow), colour * inside + other * (1 - inside)

    return ink


def _textured(colour: Colour, other: Colour, thickness: int) -> Ink:
    def ink(mask: Mask, rng: np.random.Generator) -> tuple[Mask, Picture]:
        blend = smooth_noise(mask.shape[0], mask.shape[1], 2.0 * thickness, rng)[:, :, np.newaxis]
        return mask, colour * (1 - 0.5 * blend) + other * (0.5 * blend)

    return ink


def _broken(colour: Colour, _other: Colour, thickness: int) -> Ink:
    """Remove specks, as in worn print and dotted letters."""

    def ink(mask: Mask, rng: np.random.Generator) -> tuple[Mask, Colour]:
        cell = 1.0 if thickness == 1 else 1.5 * thickness
        return mask * (smooth_noise(mask.shape[0], mask.shape[1], cell, rng) > rng.uniform(0.15, 0.4)), colour

    return ink


_SHAPES = (_solid, _bold, _thin, _hollow, _outlined, _shadowed, _textured, _broken)
_SHARES = (0.45, 0.13, 0.05, 0.1, 0.07, 0.06, 0.07, 0.07)


def _baseline(count: int, setting: Setting, rng: np.random.Generator) -> Mask:
    """Return the vertical offset of each letter's baseline, in pixels downwards."""
    t = np.arange(count)
    bent = setting.bend * np.sin(t * rng.uniform(0.4, 1.6) + rng.uniform(0, 6))
    loose = setting.jitter * 0.6 * rng.uniform(-1, 1, count)
    return np.asarray(setting.size * (bent + loose + setting.slope * t * 0.6), np.float32)


def _transformed(mask: np.ndarray, scale: float, setting: Setting, angle: float) -> Mask:
    """Return a glyph scaled, stretched, sheared and rotated about its centre, 0…1, with a margin."""
    height, width = mask.shape
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[1, setting.shear], [0, 1]])
    linear = linear @ np.diag([scale * setting.stretch, scale])
    size = np.abs(linear) @ [width, height] + 8
    columns, rows = int(size[0]) + 1, int(size[1]) + 1
    offset = np.array([columns / 2, rows / 2]) - linear @ [width / 2, height / 2]
    flags = cv2.INTER_LINEAR if setting.smooth or angle else cv2.INTER_NEAREST
    tile = cv2.warpAffine(mask, np.column_stack([linear, offset]), (columns, rows), flags=flags)
    return np.asarray(tile, np.float32) / np.float32(255)


def _cropped(layer: Layer) -> Layer:
    inked = layer[:, :, 3] > 0.05
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not rows.size:
        return layer[:1, :1]
    return layer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
