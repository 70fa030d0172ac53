"""Clutter among letters: lines, arcs, dots, stars and other letters."""

from collections.abc import Sequence

import cv2
import numpy as np

from training.drawing.draw import cubic_curve
from training.drawing.layers import Colour, Picture, random_colour, smooth_noise
from training.drawing.typefaces import Typeface, glyph


def add_clutter(
    picture: Picture, inks: Sequence[Colour], faces: Sequence[Typeface], rng: np.random.Generator
) -> Picture:
    """Draw one or two kinds of clutter over a picture, in place; half of them in the letters' colours."""
    for _ in range(int(rng.choice([1, 2], p=[0.7, 0.3]))):
        kind = rng.random()
        colour = inks[int(rng.integers(len(inks)))] if rng.random() < 0.5 else random_colour(rng)
        if kind < 0.48:
            _lines(picture, colour, rng)
        elif kind < 0.74:
            _dots(picture, colour, rng)
        elif kind < 0.84:
            _small_letters(picture, faces, rng)
        else:
            picture = _inverting_arc(picture, rng)
    return picture


def _lines(picture: Picture, colour: Colour, rng: np.random.Generator) -> None:
    """Draw one to six lines: straight, curved, segmented or wavy."""
    height, width = picture.shape[:2]
    bent, varied = rng.random(), rng.random() < 0.4
    thickness = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.27, 0.13, 0.05]))
    thickness = min(thickness, max(1, height // 16))
    kind = cv2.LINE_AA if rng.random() < 0.7 else cv2.LINE_8
    for _ in range(int(rng.integers(1, 7))):
        if bent < 0.4:
            points = rng.uniform((-5, -5), (width + 5, height + 5), (2, 2))
            if rng.random() < 0.6:
                points[:, 0] = rng.uniform(-5, width * 0.2), rng.uniform(width * 0.8, width + 5)
        elif bent < 0.7:
            points = cubic_curve(rng.uniform((-5, 0), (width + 5, height), (4, 2)), 16)
        elif bent < 0.85:
            x = np.linspace(0, width, int(rng.integers(4, 12)))
            points = np.column_stack([x, rng.uniform(0, height, len(x))])
        else:
            x = np.linspace(0, width, 40)
            y = height * (
                rng.uniform(0.2, 0.8) + rng.uniform(0, 0.3) * np.sin(x / rng.uniform(5, 40) + rng.uniform(0, 6))
            )
            points = np.column_stack([x, y])
        drawn = random_colour(rng) if varied else colour
        cv2.polylines(picture, [np.round(points).astype(np.int32)], False, drawn.tolist(), thickness, kind)


def _dots(picture: Picture, colour: Colour, rng: np.random.Generator) -> None:
    """Scatter dots, rings or short strokes."""
    height, width = picture.shape[:2]
    varied, radius = rng.random() < 0.5, int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))
    count = int(height * width * rng.uniform(0.002, 0.03) / (1 + 3 * radius))
    for x, y in rng.uniform((0, 0), (width, height), (min(count, 200), 2)).astype(int).tolist():
        drawn = (random_colour(rng) if varied else colour).tolist()
        if radius:
            cv2.circle(picture, (x, y), radius, drawn, -1 if rng.random() < 0.7 else 1)
        else:
            picture[y, x] = drawn


def _small_letters(picture: Picture, faces: Sequence[Typeface], rng: np.random.Generator) -> None:
    """Scatter faint small letters and stars."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(3, 16))):
        face = faces[int(rng.integers(len(faces)))]
        mask = glyph(face, str(rng.choice(list("***abcdexz023457AKMRT"))), 18, smooth=True).mask
        scale = min(1.0, 0.25 * height / 12) * rng.uniform(0.5, 1)
        small = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rows, columns = small.shape
        if rows >= height or columns >= width:
            continue
        y, x = int(rng.integers(height - rows)), int(rng.integers(width - columns))
        part = picture[y : y + rows, x : x + columns]
        cover = small[:, :, np.newaxis] / np.float32(255) * np.float32(rng.uniform(0.2, 0.6))
        part *= 1 - cover
        part += cover * random_colour(rng)


def _inverting_arc(picture: Picture, rng: np.random.Generator) -> Picture:
    """Invert the colours along a thick arc, an ellipse or a wave."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < 0.7:
        centre = (int(rng.uniform(0, width)), int(rng.uniform(-0.3 * height, 1.3 * height)))
        axes = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.3, 1) * height))
        thickness = -1 if rng.random() < 0.3 else int(rng.uniform(2, max(3, height / 8)))
        cv2.ellipse(mask, centre, axes, rng.uniform(-20, 20), 0, 360, 1, thickness)
    else:
        mask[:] = smooth_noise(height, width, height / 2, rng) > 0.5
    return np.where(mask[:, :, np.newaxis] > 0, 255 - picture, picture).astype(np.float32)
