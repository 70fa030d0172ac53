"""Layers of ink: colour and coverage per pixel. Glyphs are drawn into a layer, and the layer over a background."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Layer = NDArray[np.float32]
"""(height, width, 4): blue, green and red times the coverage, each 0…255, then the coverage, 0…1."""
Picture = NDArray[np.float32]
"""(height, width, 3): blue, green, red, 0…255."""
Mask = NDArray[np.float32]
"""(height, width): ink coverage of each pixel, 0…1."""
Colour = NDArray[np.float32]
"""Blue, green, red, 0…255."""


def empty_layer(height: int, width: int) -> Layer:
    """Return a layer without ink."""
    return np.zeros((height, width, 4), np.float32)


def set_ink(layer: Layer, mask: Mask, left: int, top: int, colour: Colour | Picture) -> None:
    """Draw ink over a layer, in place; ink outside the layer is cut off.

    `left` and `top`, in pixels, may be negative. The colour is one for all pixels, or one per pixel of the mask.
    """
    height, width = layer.shape[:2]
    first_row, first_column = max(0, -top), max(0, -left)
    rows, columns = slice(first_row, max(0, height - top)), slice(first_column, max(0, width - left))
    mask = mask[rows, columns]
    if mask.size == 0:
        return
    if colour.ndim == 3:
        colour = colour[rows, columns]
    row, column = max(0, top), max(0, left)
    part = layer[row : row + mask.shape[0], column : column + mask.shape[1]]
    part *= 1 - mask[:, :, np.newaxis]
    part[:, :, :3] += mask[:, :, np.newaxis] * colour
    part[:, :, 3] += mask


def lay_over(ground: Picture, layer: Layer) -> Picture:
    """Return the background with the layer's ink on it."""
    return ground * (1 - layer[:, :, 3:]) + layer[:, :, :3]


def moved(pixels: Layer | Picture, dx: Mask, dy: Mask) -> Layer | Picture:
    """Return the pixels displaced: each is taken from `dx` pixels to the right and `dy` pixels below."""
    y, x = np.indices(pixels.shape[:2], np.float32)
    return cv2.remap(pixels, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def smooth_noise(height: int, width: int, cell: float, rng: np.random.Generator) -> Mask:
    """Return noise 0…1 that varies over about `cell` pixels."""
    shape = (max(2, round(height / cell) + 1), max(2, round(width / cell) + 1))
    return cv2.resize(rng.random(shape, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def random_colour(rng: np.random.Generator) -> Colour:
    """Return a random colour: half of the time a grey one."""
    if rng.random() < 0.5:
        return np.clip(np.full(3, rng.uniform(0, 255)) + rng.normal(0, 6, 3), 0, 255).astype(np.float32)
    return rng.uniform(0, 255, 3).astype(np.float32)


def lightness(colour: Colour) -> float:
    """Return a colour's lightness, 0…255 (ITU-R BT.601)."""
    return float(colour @ np.array([0.114, 0.587, 0.299], np.float32))


def contrasting_colour(ground: Colour, min_difference: float, rng: np.random.Generator) -> Colour:
    """Return a colour that differs from the background by at least `min_difference` in lightness, or by hue."""
    for _ in range(8):
        colour = random_colour(rng)
        if rng.random() < 0.3:
            colour *= 0.35
        apart = abs(lightness(colour) - lightness(ground))
        if apart >= min_difference or (
            apart >= min_difference / 3 and float(np.abs(colour - ground).max()) >= 2.2 * min_difference
        ):
            return colour
    return np.full(3, 0 if lightness(ground) > 127 else 255, np.float32)


def sometimes(
    changes: tuple[tuple[float, Callable[[Picture, np.random.Generator], Picture]], ...],
    picture: Picture,
    rng: np.random.Generator,
) -> Picture:
    """Apply each change with its probability, in order."""
    for probability, change in changes:
        if rng.random() < probability:
            picture = change(picture, rng)
    return picture
