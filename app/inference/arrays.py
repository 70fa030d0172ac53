"""Conversion of arrays to checked pixels."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.images import Pixels, UnsupportedImageError, decode_image

SHAPES = "(height, width), or (height, width, channels) with 1, 3 or 4 channels"


def pixels_from_array(array: NDArray[Any]) -> Pixels:
    """Return an array as pixels, on a white background if it has an alpha channel.

    Args:
        array: (height, width), or (height, width, channels) with 1 (grey), 3 (BGR) or 4 channels (BGRA), as in OpenCV;
            `uint8`, `uint16`, `bool`, or floats from 0 to 1.

    Raises:
        UnsupportedImageError: if the array has another shape or type, or floats outside 0…1.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in {3, 4})):
        raise UnsupportedImageError(f"The array has the shape {array.shape}; an image has {SHAPES}.")
    array = np.ascontiguousarray(_as_integers(array))
    if array.dtype == np.uint8 and (array.ndim == 2 or array.shape[2] == 3):
        return array
    return decode_image(cv2.imencode(".png", array)[1].tobytes())  # like files with 16 bits or transparency


def _as_integers(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if not np.issubdtype(array.dtype, np.floating):
        raise UnsupportedImageError(f"The array is {array.dtype}; give uint8, uint16, bool, or floats from 0 to 1.")
    if not (array.min() >= 0 and array.max() <= 1):  # also refuses NaN
        raise UnsupportedImageError("The array has floats outside 0…1; give floats from 0 to 1, or uint8.")
    return np.rint(array * 255).astype(np.uint8)
