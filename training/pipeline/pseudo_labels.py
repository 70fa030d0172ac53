"""Pseudo-labels: texts of unlabelled images as read by a network trained on labelled ones.

Lee, "Pseudo-Label", 2013; the teacher reads each image with test-time augmentation.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec, Decoded
from app.inference.images import ImageError, Pixels
from app.inference.images.paths import image_paths
from training.data.dataset import InputSize, LabelledImages, fit_images, read_image
from training.evaluation.views import read_views
from training.fitting.network import predict

MIN_CONFIDENCE = 0.5
"""Minimum mean probability over all views for a pseudo-label."""
SURE = 0.9
"""Minimum mean probability of a confident pseudo-label, which more training would hardly change."""


def load_unlabelled(folder: Path, size: InputSize) -> LabelledImages:
    """Return the images of a folder and its subfolders, with empty labels; skip unreadable files."""
    pictures: list[tuple[Pixels, str]] = []
    for path in image_paths([str(folder)]):
        with suppress(ImageError):
            pictures.append((read_image(Path(path)), ""))
    return fit_images(pictures, len(pictures), size)


def pseudo_label(
    network: keras.Model, codec: CtcCodec, unlabelled: LabelledImages, labels: Sequence[str]
) -> tuple[LabelledImages, int]:
    """Read unlabelled images with test-time augmentation.

    Args:
        network: network that outputs logits.
        codec: vocabulary, blank and prior.
        unlabelled: the images.
        labels: labels of the labelled images; texts longer or shorter than all of them are dropped.

    Returns:
        The images with pseudo-labels, and the number of confident ones.
    """

    def read(images: Sequence[Pixels]) -> list[Decoded]:
        return codec.decode(predict(network, np.stack(images)))

    if not len(unlabelled.labels):
        return unlabelled, 0
    lengths = [len(label) for label in labels]
    readings = read_views(read, list(unlabelled.images))
    likely = [
        index
        for index, reading in enumerate(readings)
        if reading.confidence >= MIN_CONFIDENCE and min(lengths) <= len(reading.text) <= max(lengths)
    ]
    images = LabelledImages(unlabelled.images[likely], [readings[index].text for index in likely])
    return images, sum(readings[index].confidence >= SURE for index in likely)
