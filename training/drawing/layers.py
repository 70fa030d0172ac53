"""A layer of ink: colour and coverage for each pixel, into which glyphs are set and which is laid over a ground."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Layer = NDArray[np.float32]
"""(height, width, 4): blue, green, red times the coverage, each 0…255, then the coverage, 0…1."""
Picture = NDArray[np.float32]
"""(height, width, 3): blue, green, red, 0…255."""
Mask = NDArray[np.float32]
"""(height, width): how much ink covers each pixel, 0…1."""
Colour = NDArray[np.float32]
"""Blue, green, red, 0…255."""


def empty_layer(height: int, width: int) -> Layer:
    """Return a layer without ink."""
    return np.zeros((height, width, 4), np.float32)


def set_ink(layer: Layer, mask: Mask, left: int, top: int, colour: Colour | Picture) -> None:
    """Lay ink over what is there; what lies outside is cut off.

    Left and top, in pixels, may be negative. There is one colour, or one for each pixel of the mask.
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
    """Return the ground with the layer's ink on it."""
    return ground * (1 - layer[:, :, 3:]) + layer[:, :, :3]


def moved(pixels: Layer | Picture, dx: Mask, dy: Mask) -> Layer | Picture:
    """Return the pixels taken from places so many pixels to the right and below."""
    y, x = np.indices(pixels.shape[:2], np.float32)
    return cv2.remap(pixels, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def smooth_noise(height: int, width: int, cell: float, rng: np.random.Generator) -> Mask:
    """Return values 0…1 that change over about so many pixels."""
    shape = (max(2, round(height / cell) + 1), max(2, round(width / cell) + 1))
    return cv2.resize(rng.random(shape, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def random_colour(rng: np.random.Generator) -> Colour:
    """Return any colour: half of the time a grey one."""
    if rng.random() < 0.5:
        return np.clip(np.full(3, rng.uniform(0, 255)) + rng.normal(0, 6, 3), 0, 255).astype(np.float32)
    return rng.uniform(0, 255, 3).astype(np.float32)


def lightness(colour: Colour) -> float:
    """Return how light a colour is, 0…255 (ITU-R BT.601)."""
    return float(colour @ np.array([0.114, 0.587, 0.299], np.float32))


def contrasting_colour(ground: Colour, least: float, rng: np.random.Generator) -> Colour:
    """Return a colour that stands out from the ground by so much lightness, or by its hue."""
    for _ in range(8):
        colour = random_colour(rng)
        if rng.random() < 0.3:
            colour *= 0.35
        apart = abs(lightness(colour) - lightness(ground))
        if apart >= least or (apart >= least / 3 and float(np.abs(colour - ground).max()) >= 2.2 * least):
            return colour
    return np.full(3, 0 if lightness(ground) > 127 else 255, np.float32)


def sometimes(
    changes: tuple[tuple[float, Callable[[Picture, np.random.Generator], Picture]], ...],
    picture: Picture,
    rng: np.random.Generator,
) -> Picture:
    """Apply each change with its probability, one after the other."""
    for probability, change in changes:
        if rng.random() < probability:
            picture = change(picture, rng)
    return picture
