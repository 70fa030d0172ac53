"""Degradations of a picture: warping, blur, low resolution, noise, few colours, compression, uneven light."""

from functools import partial

import cv2
import numpy as np

from training.drawing.layers import Layer, Picture, moved, smooth_noise, sometimes


def warp(layer: Layer, rng: np.random.Generator) -> Layer:
    """Warp a layer of text: in waves, in random directions, or in ripples around a point."""
    kind = rng.random()
    height, width = layer.shape[:2]
    y, x = np.indices((height, width), np.float32)
    if kind < 0.5:
        dx = rng.uniform(0, 0.07) * height * np.sin(y / height * rng.uniform(2, 9) + rng.uniform(0, 6))
        dy = rng.uniform(0, 0.09) * height * np.sin(x / height * rng.uniform(1, 7) + rng.uniform(0, 6))
        return moved(layer, dx.astype(np.float32), dy.astype(np.float32))
    if kind < 0.8:
        reach = rng.uniform(0.02, 0.1) * height
        dx = reach * 2 * (smooth_noise(height, width, height / 2.5, rng) - 0.5)
        dy = reach * 2 * (smooth_noise(height, width, height / 2.5, rng) - 0.5)
        return moved(layer, dx, dy)
    x, y = x - rng.uniform(0.2, 0.8) * width, y - rng.uniform(0.2, 0.8) * height
    distance = np.maximum(np.hypot(x, y), 1e-6)
    fading = np.maximum(0, 1 - distance / (rng.uniform(0.5, 2) * height))
    push = rng.uniform(0.01, 0.05) * height * np.sin(distance / height * rng.uniform(10, 120)) * fading / distance
    return moved(layer, (x * push).astype(np.float32), (y * push).astype(np.float32))


def degrade(picture: Picture, rng: np.random.Generator) -> Picture:
    """Apply zero or more degradations to a picture."""
    return np.clip(sometimes(_DAMAGES, picture, rng), 0, 255)


def photograph(picture: Picture, rng: np.random.Generator) -> Picture:
    """Show a device as in a photograph: in poor light, behind glass, blurred, seen at an angle."""
    return np.clip(sometimes(_OF_PHOTOGRAPHS, picture, rng), 0, 255)


def _tilted(picture: Picture, rng: np.random.Generator, reach: float = 0.07) -> Picture:
    """Change the perspective: move each corner by up to this fraction of the height."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = corners + rng.uniform(-reach, reach, (4, 2)).astype(np.float32) * np.float32(height)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    return cv2.warpPerspective(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _blurred(picture: Picture, rng: np.random.Generator) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.028 * picture.shape[0] + 0.4))


def _motion_blurred(picture: Picture, rng: np.random.Generator) -> Picture:
    """Apply motion blur."""
    length = int(rng.integers(2, max(3, picture.shape[0] // 12 + 2)))
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0)
    return cv2.filter2D(picture, -1, kernel / max(1.0, float(kernel.sum())))


def _low_resolution(picture: Picture, rng: np.random.Generator) -> Picture:
    """Reduce the resolution, to no fewer than 14 rows."""
    height, width = picture.shape[:2]
    rows = int(rng.uniform(max(14, 0.3 * height), height + 1))
    small = cv2.resize(picture, (max(8, width * rows // height), rows), interpolation=cv2.INTER_AREA)
    how = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=how)


def _noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    depth = 3 if rng.random() < 0.5 else 1
    noise = rng.standard_normal((*picture.shape[:2], depth), np.float32)
    return picture + np.float32(rng.uniform(2, 30)) * noise


def _salt_and_pepper(picture: Picture, rng: np.random.Generator) -> Picture:
    """Set single pixels to black, white or a random colour."""
    chosen = rng.random(picture.shape[:2], np.float32) < rng.uniform(0.01, 0.15)
    count = int(chosen.sum())
    kind = rng.random()
    if kind < 0.4:
        picture[chosen] = rng.choice([0.0, 255.0], (count, 1))
    elif kind < 0.6:
        picture[chosen] = 0 if rng.random() < 0.5 else 255
    else:
        picture[chosen] = rng.uniform(0, 255, (count, 3))
    return picture


def _unevenly_lit(picture: Picture, rng: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    light = smooth_noise(height, width, width / rng.uniform(1, 4), rng)[:, :, np.newaxis]
    return picture * (1 - np.float32(rng.uniform(0.1, 0.6)) * light)


def _glaring(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add the reflection of a light."""
    height, width = picture.shape[:2]
    y, x = np.indices((height, width), np.float32)
    x, y = (x - rng.uniform(0, width)) / (0.5 * height), (y - rng.uniform(0, height)) / (0.3 * height)
    return picture + np.float32(rng.uniform(40, 160)) * np.exp(-(x * x + y * y))[:, :, np.newaxis]


def _reflecting(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add reflections of the surroundings: patches with soft edges, through which little is visible."""
    height, width = picture.shape[:2]
    patches = np.float32(smooth_noise(height, width, height * rng.uniform(0.7, 3), rng) > rng.uniform(0.5, 0.8))
    veil = cv2.GaussianBlur(patches, (0, 0), rng.uniform(0.01, 0.15) * height + 0.3)[:, :, np.newaxis]
    veil *= np.float32(rng.uniform(0.3, 0.9))
    return picture * (1 - veil) + np.float32(rng.uniform(150, 255)) * veil


def _recoloured(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change contrast and brightness."""
    return (picture - 128) * np.float32(rng.uniform(0.4, 1.2)) + 128 + np.float32(rng.uniform(-40, 40))


def _of_few_colours(picture: Picture, rng: np.random.Generator) -> Picture:
    """Quantize each channel to few levels, like old palettes."""
    step = 255 / (int(rng.choice([1, 2, 3, 5, 7])) if rng.random() < 0.7 else 5)
    return np.round(np.clip(picture, 0, 255) / step) * np.float32(step)


def _compressed(picture: Picture, rng: np.random.Generator) -> Picture:
    quality = int(rng.integers(20, 95))
    _, data = cv2.imencode(".jpg", np.clip(picture, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)


def _grey(picture: Picture, _rng: np.random.Generator) -> Picture:
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)


_OF_PHOTOGRAPHS = (
    (0.4, partial(_tilted, reach=0.2)),
    (0.4, _unevenly_lit),
    (0.3, _glaring),
    (0.2, _reflecting),
    (0.3, _blurred),
    (0.1, _motion_blurred),
    (0.3, _recoloured),
)
_DAMAGES = (
    (0.1, _tilted),
    (0.08, _unevenly_lit),
    (0.04, _glaring),
    (0.18, _blurred),
    (0.05, _motion_blurred),
    (0.17, _low_resolution),
    (0.12, _salt_and_pepper),
    (0.22, _noisy),
    (0.15, _recoloured),
    (0.08, _of_few_colours),
    (0.2, _grey),
    (0.35, _compressed),
)
