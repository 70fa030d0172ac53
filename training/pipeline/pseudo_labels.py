"""Pseudo-labels: texts of unlabelled images as read by a network trained on labelled ones.

Lee, "Pseudo-Label", 2013; the teacher reads each image at several scales.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec
from app.inference.images import ImageError, Pixels, zoom
from app.inference.images.paths import image_paths
from app.inference.models.model import ZOOMS
from training.data.dataset import InputSize, LabelledImages, fit_images, read_image
from training.fitting.network import predict

MIN_CONFIDENCE = 0.5
"""Minimum mean probability over all copies for a pseudo-label."""


def load_unlabelled(folder: Path, size: InputSize) -> LabelledImages:
    """Return the images of a folder and its subfolders, with empty labels; skip unreadable files."""
    pictures: list[tuple[Pixels, str]] = []
    for path in image_paths([str(folder)]):
        with suppress(ImageError):
            pictures.append((read_image(Path(path)), ""))
    return fit_images(pictures, len(pictures), size)


def pseudo_label(
    network: keras.Model, codec: CtcCodec, unlabelled: LabelledImages, labels: Sequence[str]
) -> LabelledImages:
    """Read unlabelled images and zoomed copies of them.

    Args:
        network: network that outputs logits.
        codec: vocabulary, blank and prior.
        unlabelled: the images.
        labels: labels of the labelled images; texts longer or shorter than all of them are dropped.

    Returns:
        The images with pseudo-labels.
    """
    if not len(unlabelled.labels):
        return unlabelled
    votes: list[defaultdict[str, float]] = [defaultdict(float) for _ in unlabelled.labels]
    for factor in (1.0, *ZOOMS):
        copies = np.stack([zoom(image, factor) for image in unlabelled.images])
        for vote, reading in zip(votes, codec.decode_texts(predict(network, copies)), strict=True):
            vote[reading.text] += reading.confidence / (1 + len(ZOOMS))
    best = [max(vote.items(), key=itemgetter(1)) for vote in votes]
    lengths = [len(label) for label in labels]
    likely = [
        index
        for index, (text, confidence) in enumerate(best)
        if confidence >= MIN_CONFIDENCE and min(lengths) <= len(text) <= max(lengths)
    ]
    return LabelledImages(unlabelled.images[likely], [best[index][0] for index in likely])
