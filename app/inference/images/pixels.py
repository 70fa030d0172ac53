"""Conversion of decoded pixels to their common form."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.images.exif import TRANSPOSED

Pixels = NDArray[np.uint8]
"""Upright image, grey (height, width) or BGR (height, width, 3), 0…255."""
DecodedPixels = NDArray[Any]
"""Image as stored: uint8 or uint16, possibly with an alpha channel."""


def finish(pixels: DecodedPixels, orientation: int) -> Pixels:
    """Turn an image upright, put it on a white background and convert it to 8 bits a channel; grey stays grey.

    Args:
        pixels: (height, width), BGR (height, width, 3) or BGRA (height, width, 4).
        orientation: of EXIF, 1 to 8; unknown values leave the image as it is.
    """
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    return _upright(on_white(pixels), orientation)


def on_white(pixels: Pixels) -> Pixels:
    """Put an image with an alpha channel on a white background.

    If nothing is visible then (white ink on a transparent background), return the inverted alpha channel.
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3]
    lowest_alpha, highest_alpha, _, _ = cv2.minMaxLoc(alpha)
    if lowest_alpha == 255:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    # 255 - (255 - colour) * alpha. Rounding is exact, since a product of two bytes divided by 255 never ends in .5.
    opaque = cv2.bitwise_not(pixels[..., :3])
    cv2.multiply(opaque, cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), dst=opaque, scale=1 / 255)
    cv2.bitwise_not(opaque, dst=opaque)
    darkest, lightest, _, _ = cv2.minMaxLoc(opaque.reshape(-1))
    visible_contrast = lightest - darkest
    if visible_contrast < 16 and highest_alpha - lowest_alpha > visible_contrast:
        return cv2.bitwise_not(alpha)
    return opaque


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (CIPA DC-008, tag 0x0112); 1 and unknown values leave the image as it is."""
    if orientation in TRANSPOSED:
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels
