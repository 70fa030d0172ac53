"""From what a decoder returns to the pixels that everything else works on."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.images.exif import LYING

Pixels = NDArray[np.uint8]
"""An upright image, grey (height, width) or blue, green, red (height, width, 3), 0…255."""
DecodedPixels = NDArray[Any]
"""The same as decoders return it: as it is stored, uint8 or uint16, perhaps with a fourth channel for the opacity."""


def finish(pixels: DecodedPixels, orientation: int) -> Pixels:
    """Turn an image upright and lay transparency on white. 16 bits a channel become 8, and grey stays grey.

    Args:
        pixels: (height, width), or blue, green, red and, maybe, opacity (height, width, 3 or 4).
        orientation: of EXIF, 1 to 8; unknown values leave the image as it is.
    """
    return _upright(on_white(_to_8_bits(pixels)), orientation)


def on_white(pixels: Pixels) -> Pixels:
    """Lay an image with an alpha channel on white.

    Where that leaves nothing to see (white ink on a transparent ground), the opacity itself is the picture.
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3]
    lowest_alpha, highest_alpha, _, _ = cv2.minMaxLoc(alpha)
    if lowest_alpha == 255:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    # 255 - (255 - colour) * opacity, which is rounded exactly: no product of two bytes is half of 255 off a whole one.
    laid = cv2.bitwise_not(pixels[..., :3])
    cv2.multiply(laid, cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), dst=laid, scale=1 / 255)
    cv2.bitwise_not(laid, dst=laid)
    darkest, lightest, _, _ = cv2.minMaxLoc(laid.reshape(-1))
    visible_contrast = lightest - darkest
    if visible_contrast < 16 and highest_alpha - lowest_alpha > visible_contrast:
        return cv2.bitwise_not(alpha)
    return laid


def _to_8_bits(pixels: DecodedPixels) -> Pixels:
    if pixels.dtype == np.uint16:
        return cv2.convertScaleAbs(pixels, alpha=1 / 257)
    return pixels


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (CIPA DC-008, tag 0x0112); 1 and unknown values leave the image as it is."""
    if orientation in LYING:
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels
