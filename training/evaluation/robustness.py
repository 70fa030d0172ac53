"""Accuracy on images that differ from the training images."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.images import Pixels, decode_image
from app.inference.reader import Reader

Change = Callable[[Pixels, np.random.Generator], Pixels]


def measure_robustness(reader: Reader, images: Sequence[Pixels], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Read images with each change in `CHANGES`; return the words read right, as rows for metrics.json."""
    rows = []
    for name, change in CHANGES.items():
        rng = np.random.default_rng(0)
        readings = reader.model.predict(change(image, rng) for image in images)
        right = sum(reading.text == label for reading, label in zip(readings, labels, strict=True))
        rows.append({"change": name, "words_right": right, "images": len(images)})
    return rows


def _as_jpeg(image: Pixels, _: np.random.Generator) -> Pixels:
    return decode_image(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1].tobytes())


def _resized(image: Pixels, _: np.random.Generator, *, factor: float) -> Pixels:
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=interpolation)


def _noisy(image: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(image + rng.normal(0, 15, image.shape), 0, 255).astype(np.uint8)


def _rotated(image: Pixels, _: np.random.Generator, *, degrees: float) -> Pixels:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _cropped(image: Pixels, _: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    y, x = round(height * 0.05), round(width * 0.03)
    return np.ascontiguousarray(image[y : height - y, x : width - x])


def _padded(image: Pixels, _: np.random.Generator) -> Pixels:
    y, x = round(image.shape[0] * 0.1), round(image.shape[1] * 0.05)
    return cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _coloured(image: Pixels, _: np.random.Generator) -> Pixels:
    """Replace black by blue and white by yellow, at the same lightness."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    share = grey[..., np.newaxis].astype(np.float32) / 255
    return (share * (200, 245, 255) + (1 - share) * (120, 20, 10)).astype(np.uint8)


def _transparent(image: Pixels, _: np.random.Generator) -> Pixels:
    """Put the picture into the alpha channel of a black image, and decode that."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    layers: NDArray[np.uint8] = np.zeros((*grey.shape, 4), np.uint8)
    layers[..., 3] = 255 - grey
    return decode_image(cv2.imencode(".png", layers)[1].tobytes())


CHANGES: dict[str, Change] = {
    "as they are": lambda image, _: image,
    "JPEG, quality 30": _as_jpeg,
    "half size": partial(_resized, factor=0.5),
    "double size": partial(_resized, factor=2),
    "blurred (sigma 2 % of the height)": lambda image, _: cv2.GaussianBlur(image, (0, 0), image.shape[0] / 50),
    "noise (sigma 15)": _noisy,
    "rotated by 5°": partial(_rotated, degrees=5),
    "rotated by −5°": partial(_rotated, degrees=-5),
    "light and dark exchanged": lambda image, _: cv2.bitwise_not(image),
    "borders cropped (5 % and 3 %)": _cropped,
    "borders padded with white (10 % and 5 %)": _padded,
    "in colours": _coloured,
    "transparent, the picture in the opacity": _transparent,
}
