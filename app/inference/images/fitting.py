"""Conversion of pixels to a network's input."""

import cv2
import numpy as np

from app.inference.images.pixels import Pixels


def fit_to_input(pixels: Pixels, *, width: int, height: int, channels: int) -> Pixels:
    """Convert an image to the size and channels of a network's input.

    Returns:
        uint8 (height, width, channels); three channels are BGR, as in `mltu`.
    """
    if channels == 1 and pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    elif channels == 3 and pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[:2] != (height, width):
        shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return pixels.reshape(height, width, channels)


def zoom(image: Pixels, factor: float) -> Pixels:
    """Return an image of the same size, scaled about its centre: cut off, or with its border replicated."""
    height, width = image.shape[:2]
    rest = (1 - factor) / 2
    matrix = np.array([[factor, 0, rest * width], [0, factor, rest * height]])
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE).reshape(image.shape)
