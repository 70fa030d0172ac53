"""Fits the temperature that makes a model's confidences mean what they say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages
from training.fitting.augment import augment

READINGS = 1_000
TEMPERATURES = np.geomspace(0.5, 4, 49)
STRIDE = 6
SPREAD = 0.25
"""Of the temperature's logarithm around 0, before any image is read: a normal distribution."""
_SURE = 1e-12


def augmented_copies(held_out: LabelledImages, seed: int) -> LabelledImages:
    """Return about a thousand images to calibrate on: copies of the held-out ones, each augmented in another way.

    As they are, they are too few and read too well to tell how often a doubtful reading is wrong.
    """
    copies = max(1, READINGS // len(held_out.labels))
    rng = np.random.default_rng(seed)
    images = [augment(image, rng) for _ in range(copies) for image in held_out.images]
    return LabelledImages(np.stack(images), held_out.labels * copies)


def fit_temperature(
    codec: CtcCodec, probabilities: NDArray[np.floating], labels: Sequence[str], originals: int
) -> float:
    """Return the temperature under which the words' confidences fit best how often they are right.

    Temperature scaling is of Guo et al., "On Calibration of Modern Neural Networks", 2017; the likelihood of
    right and wrong words is taken with Platt's smoothed targets ("Probabilistic Outputs for Support Vector
    Machines", 1999): where every word is right, they keep the confidences from rising to 1 without end, the
    less so the more words there are. A prior probability keeps the temperature near 1 where there are few images, one
    of which may be labelled wrongly.

    Args:
        codec: vocabulary and blank.
        probabilities: (images, steps, classes) of images that the network was not trained on.
        labels: what the images say.
        originals: how many of the images are not copies of others.
    """
    exact = probabilities.astype(np.float64)

    def loss(index: int) -> float:
        decoded = codec.decode(exact, float(TEMPERATURES[index]))
        confidences = np.array([one.confidence for one in decoded])
        right = np.array([one.text == label for one, label in zip(decoded, labels, strict=True)])
        targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
        sure, unsure = np.maximum(confidences, _SURE), np.maximum(1 - confidences, _SURE)
        likelihood = np.mean(targets * np.log(sure) + (1 - targets) * np.log(unsure))
        return float(-originals * likelihood + np.log(TEMPERATURES[index]) ** 2 / (2 * SPREAD**2))

    # The loss has one valley: it is looked for among some temperatures, and then beside the best of them.
    last = len(TEMPERATURES) - 1
    best = min(range(0, last + 1, STRIDE), key=loss)
    best = min(range(max(best - STRIDE, 0), min(best + STRIDE, last) + 1), key=loss)
    return round(float(TEMPERATURES[best]), 4)
