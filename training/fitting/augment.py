"""Random augmentation of training images."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(height, width, channels), 0…255."""


def augment(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Augment an image: geometry, stroke width, light, noise, lines.

    Args:
        image: uint8 (height, width, channels); it is not modified.
        rng: the source of randomness; the same state gives the same image.
        strength: from 0 (unchanged) to 1.

    Returns:
        A new image of the same shape and dtype.
    """
    if strength <= 0:
        return image.copy()
    changed = image
    for probability, change in _CHANGES if image.shape[2] > 1 else _CHANGES_OF_GREY:
        if rng.random() < probability * strength:
            changed = change(changed, rng, strength).reshape(image.shape)
    return changed.copy() if changed is image else changed


def _affine(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Rotate by up to ±5°, shear, scale and shift; fill the border with one grey or with the edge."""
    height, width = image.shape[:2]
    angle = np.deg2rad(rng.uniform(-5, 5) * strength)
    shear = rng.uniform(-0.15, 0.15) * strength
    scale_x, scale_y = 1 + rng.uniform(-0.2, 0.2, 2) * strength
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = np.array([[scale_x, shear], [0, scale_y]]) @ rotation
    middle = np.array([width / 2, height / 2])
    shift = rng.uniform(-1, 1, 2) * (0.05 * width, 0.08 * height) * strength
    matrix = np.column_stack([linear, middle - linear @ middle + shift])
    border = cv2.BORDER_REPLICATE if rng.random() < 0.6 else cv2.BORDER_CONSTANT
    grey = [int(rng.choice([0, 255, image.mean()]))] * image.shape[2]
    return cv2.warpAffine(image, matrix, (width, height), borderMode=border, borderValue=grey)


def _elastic(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Warp smoothly (Simard et al., ICDAR 2003), with one random offset per 12 rows and 20 columns."""
    height, width = image.shape[:2]
    grid = (max(2, height // 12), max(2, width // 20))
    offsets = rng.normal(0, 0.04 * height * strength, (2, *grid)).astype(np.float32)
    dx, dy = (cv2.resize(offset, (width, height), interpolation=cv2.INTER_CUBIC) for offset in offsets)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(image, columns + dx, rows + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _stroke_width(image: Image, rng: np.random.Generator, _: float) -> Image:
    """Thin or thicken strokes by one pixel, or blur them."""
    kind = rng.random()
    if kind < 0.375:
        return cv2.erode(image, np.ones((2, 2), np.uint8))
    if kind < 0.75:
        return cv2.dilate(image, np.ones((2, 2), np.uint8))
    return cv2.GaussianBlur(image, (3, 3), 0)


def _light(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Change contrast by ±30 % and brightness by ±40."""
    contrast = 1 + rng.uniform(-0.3, 0.3) * strength
    brightness = rng.uniform(-40, 40) * strength
    return _clipped((image.astype(np.float32) - 128) * contrast + 128 + brightness)


def _tint(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Change contrast and brightness per colour channel, and darken towards one side, as in photographs."""
    _, width, channels = image.shape
    low, high = np.log((0.35, 1.3))
    contrast = np.exp(rng.uniform(low, high) * strength) * (1 + rng.uniform(-0.25, 0.25, channels) * strength)
    brightness = (rng.uniform(-40, 40) + rng.uniform(-30, 30, channels)) * strength
    slope = rng.uniform(-40, 40) * strength * np.linspace(-1, 1, width)[:, np.newaxis]
    mean = image.mean(axis=(0, 1))
    return _clipped((image.astype(np.float32) - mean) * contrast + mean + brightness + slope)


def _noise(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Add Gaussian noise of up to 12 grey levels."""
    return _clipped(image + rng.normal(0, rng.uniform(0, 12) * strength, image.shape))


def _lines(image: Image, rng: np.random.Generator, _: float) -> Image:
    """Draw one or two thin dark lines across the image."""
    height, width = image.shape[:2]
    drawn = image.copy()
    for _line in range(rng.integers(1, 3)):
        start, end = rng.integers(0, (width, height), (2, 2)).tolist()
        cv2.line(drawn, start, end, [int(rng.integers(0, 120))] * image.shape[2], 1)
    return drawn


def _clipped(values: NDArray[np.floating]) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)


_CHANGES: tuple[tuple[float, Callable[[Image, np.random.Generator, float], Image]], ...] = (
    (0.9, _affine),
    (0.5, _elastic),
    (0.4, _stroke_width),
    (0.7, _light),
    (0.5, _tint),
    (0.3, _noise),
    (0.3, _lines),
    (0.2, lambda image, _rng, _: cv2.bitwise_not(image)),
)
_CHANGES_OF_GREY = tuple(pair for pair in _CHANGES if pair[1] is not _tint)
