"""Labels for unlabelled pictures, from a network that was trained on the labelled ones.

Lee, "Pseudo-Label", 2013; the teacher reads each picture in several views, as in FixMatch's and others' ensembles.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec, Decoded
from app.inference.images import ImageError, Pixels
from app.inference.images.paths import image_paths
from training.data.dataset import LabelledImages, fit_images, read_image
from training.evaluation.views import read_views
from training.fitting.callbacks import EVALUATION_BATCH

MIN_CONFIDENCE = 0.5
"""The mean probability over all views from which on a text is taken for a label."""
SURE = 0.9
"""That of a text which more training would hardly change."""


class PseudoLabels(NamedTuple):
    """What a network reads in pictures without labels.

    Attributes:
        images: those that it reads surely enough, with what it reads there.
        sure: how many it is sure of.
    """

    images: LabelledImages
    sure: int


def load_unlabelled(folder: Path, size: dict[str, Any]) -> LabelledImages:
    """Return the pictures of a folder, those in folders within it too, with empty labels; unreadable ones are left out.

    Args:
        folder: the folder.
        size: of the network's input; see `fit_images`.
    """
    pictures: list[tuple[Pixels, str]] = []
    for path in image_paths([str(folder)]):
        with suppress(ImageError):
            pictures.append((read_image(Path(path)), ""))
    return fit_images(pictures, len(pictures), **size)


def pseudo_label(
    network: keras.Model, codec: CtcCodec, unlabelled: LabelledImages, labels: Sequence[str]
) -> PseudoLabels:
    """Read pictures without labels in several views.

    Args:
        network: puts out logits.
        codec: vocabulary and blank.
        unlabelled: the pictures.
        labels: of the labelled images: no text is longer or shorter than all of them.
    """

    def read(images: Sequence[Pixels]) -> list[Decoded]:
        logits = network.predict(np.stack(images), batch_size=EVALUATION_BATCH, verbose=0)
        return codec.decode(keras.ops.convert_to_numpy(keras.ops.softmax(logits)))

    if not len(unlabelled.labels):
        return PseudoLabels(unlabelled, 0)
    lengths = [len(label) for label in labels]
    readings = read_views(read, list(unlabelled.images))
    likely = [
        index
        for index, reading in enumerate(readings)
        if reading.confidence >= MIN_CONFIDENCE and min(lengths) <= len(reading.text) <= max(lengths)
    ]
    images = LabelledImages(unlabelled.images[likely], [readings[index].text for index in likely])
    return PseudoLabels(images, sum(readings[index].confidence >= SURE for index in likely))
