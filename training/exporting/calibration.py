"""Calibration of a model's confidences by a fitted temperature."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages
from training.fitting.augment import augment

READINGS = 1_000
TEMPERATURES = np.geomspace(0.5, 4, 49)
STRIDES = (6, 2, 1)
"""Grid strides of the search; each loss decodes all readings, which takes most of the time."""
SPREAD = 0.25
"""Standard deviation of the normal prior of the logarithm of the temperature, with mean 0."""
_SURE = 1e-12


def augmented_copies(held_out: LabelledImages, seed: int) -> LabelledImages:
    """Return about a thousand augmented copies of the held-out images, for calibration.

    The originals are too few, and read too well, to estimate how often uncertain readings are wrong.
    """
    copies = max(1, READINGS // len(held_out.labels))
    rng = np.random.default_rng(seed)
    images = [augment(image, rng) for _ in range(copies) for image in held_out.images]
    return LabelledImages(np.stack(images), held_out.labels * copies)


def fit_temperature(
    codec: CtcCodec, probabilities: NDArray[np.floating], labels: Sequence[str], originals: int
) -> float:
    """Return the temperature that best matches the words' confidences to their accuracy.

    Temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", 2017. The likelihood uses Platt's
    smoothed targets ("Probabilistic Outputs for Support Vector Machines", 1999), which keep confidences below 1 even if
    every word is right; more words allow higher confidences. A prior keeps the temperature near 1 if there are few
    images, as one of them may be mislabelled.

    Args:
        codec: vocabulary and blank.
        probabilities: (images, steps, classes) of images that the network was not trained on.
        labels: the texts of the images.
        originals: number of images that are not copies of others.
    """
    exact = probabilities.astype(np.float64)

    @cache
    def loss(index: int) -> float:
        decoded = codec.decode_texts(exact, float(TEMPERATURES[index]))
        confidences = np.array([one.confidence for one in decoded])
        right = np.array([one.text == label for one, label in zip(decoded, labels, strict=True)])
        targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
        sure, unsure = np.maximum(confidences, _SURE), np.maximum(1 - confidences, _SURE)
        likelihood = np.mean(targets * np.log(sure) + (1 - targets) * np.log(unsure))
        return float(-originals * likelihood + np.log(TEMPERATURES[index]) ** 2 / (2 * SPREAD**2))

    # The loss is unimodal: search a coarse grid, then ever closer to its best temperature.
    best = min(range(0, len(TEMPERATURES), STRIDES[0]), key=loss)
    for before, stride in pairwise(STRIDES):
        near = range(best - before + stride, best + before, stride)
        best = min((index for index in near if 0 <= index < len(TEMPERATURES)), key=loss)
    return round(float(TEMPERATURES[best]), 4)
