"""Backgrounds: plain, shaded, speckled, hatched and photographic."""

import cv2
import numpy as np

from training.drawing.layers import Colour, Picture, random_colour, smooth_noise


def random_base(rng: np.random.Generator) -> Colour:
    """Return the base colour of a background, light half of the time."""
    kind = rng.random()
    if kind < 0.2:
        return np.full(3, 255, np.float32)
    if kind < 0.55:
        return np.clip(rng.uniform(190, 255) + rng.normal(0, 12, 3), 0, 255).astype(np.float32)
    return random_colour(rng) * np.float32(0.3 if kind < 0.75 else 1)


def ground_of(base: Colour, height: int, width: int, rng: np.random.Generator) -> Picture:
    """Return a background of roughly one colour: plain a third of the time, otherwise with one texture."""
    ground = np.empty((height, width, 3), np.float32)
    ground[:] = base
    texture = _TEXTURES[int(rng.choice(len(_TEXTURES), p=_SHARES))]
    return ground if texture is None else np.clip(texture(ground, rng), 0, 255).astype(np.float32)


def _shaded(ground: Picture, rng: np.random.Generator) -> Picture:
    """Darken the picture towards one side."""
    height, width = ground.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    direction = rng.uniform(0, 2 * np.pi)
    slope = np.cos(direction) * x + np.sin(direction) * y
    return ground + rng.uniform(10, 45) * slope[:, :, np.newaxis].astype(np.float32)


def _speckled(ground: Picture, rng: np.random.Generator) -> Picture:
    """Scatter pixels of other colours."""
    height, width = ground.shape[:2]
    size = int(rng.choice([1, 1, 2]))
    chosen = rng.random((height // size + 1, width // size + 1)) < rng.uniform(0.03, 0.35)
    chosen = np.repeat(np.repeat(chosen, size, 0), size, 1)[:height, :width]
    if rng.random() < 0.5:
        ground[chosen] = random_colour(rng)
    else:
        ground[chosen] = rng.uniform(0, 255, (int(chosen.sum()), 3))
    return ground


def _hatched(ground: Picture, rng: np.random.Generator) -> Picture:
    """Draw many short or long straight strokes."""
    height, width = ground.shape[:2]
    length, regular = rng.uniform(4, 30), rng.random() < 0.5
    direction = rng.uniform(0, np.pi)
    fixed = (random_colour(rng) * 0.5 + ground[0, 0] * 0.5).tolist()
    for _ in range(int(rng.integers(10, 90))):
        angle = direction if regular else rng.uniform(0, np.pi)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        end = (round(x + length * np.cos(angle)), round(y + length * np.sin(angle)))
        colour = fixed if regular else (random_colour(rng) * 0.6 + ground[0, 0] * 0.4).tolist()
        cv2.line(ground, (round(x), round(y)), end, colour, 1, cv2.LINE_AA)
    return ground


def _gridded(ground: Picture, rng: np.random.Generator) -> Picture:
    """Draw equidistant lines: horizontal, vertical or both."""
    colour = random_colour(rng) * 0.5 + ground[0, 0] * 0.5
    step, which = int(rng.integers(3, 16)), rng.integers(3)
    if which != 1:
        ground[int(rng.integers(step)) :: step] = colour
    if which != 0:
        ground[:, int(rng.integers(step)) :: step] = colour
    return ground


def _photographed(ground: Picture, rng: np.random.Generator) -> Picture:
    """Add structure at several scales, like paper, metal or cloth."""
    height, width = ground.shape[:2]
    noise = np.zeros((height, width), np.float32)
    for cell in (40.0, 12.0, 4.0):
        noise += rng.uniform(0, 1) * (smooth_noise(height, width, cell, rng) - 0.5)
    ground += np.float32(rng.uniform(20, 90)) * noise[:, :, np.newaxis]
    return ground + np.float32(rng.uniform(0, 8)) * rng.standard_normal(ground.shape, np.float32)


def _patchwork(ground: Picture, rng: np.random.Generator) -> Picture:
    """Add shapes in colours similar to the background's."""
    height, width = ground.shape[:2]
    for _ in range(int(rng.integers(2, 12))):
        colour = (0.65 * ground[0, 0] + 0.35 * random_colour(rng)).tolist()
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        if rng.random() < 0.5:
            cv2.circle(ground, (x, y), int(rng.uniform(2, height / 2)), colour, -1)
        else:
            cv2.rectangle(ground, (x, y), (x + int(rng.uniform(4, 60)), y + int(rng.uniform(4, 40))), colour, -1)
    return ground


_TEXTURES = (None, _shaded, _speckled, _hatched, _gridded, _photographed, _patchwork)
_SHARES = (0.35, 0.13, 0.14, 0.1, 0.06, 0.16, 0.06)
