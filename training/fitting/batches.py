"""Training batches."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages, encode_labels
from training.fitting.augment import augment
from training.fitting.config import TrainingConfig

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Images (batch, height, width, channels) and labels (batch, length) padded with the blank."""


class Batches(Protocol):
    """The batches of an epoch. They depend only on its number, so that a resumed run sees the same batches.

    Attributes:
        epoch: the epoch of the next iteration.
        strength: strength of the augmentation, 0…1.
        steps: batches per epoch.
        label_length: mean number of characters per label.
    """

    epoch: int
    strength: float
    steps: int
    label_length: float

    def __call__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch."""


class TrainingBatches:
    """The labelled images, shuffled and augmented anew in each epoch, plus as many drawn ones, if there are any.

    See `Batches`.
    """

    def __init__(
        self, config: TrainingConfig, train: LabelledImages, codec: CtcCodec, drawn: LabelledImages | None = None
    ) -> None:
        self._codec, self._seed = codec, config.seed
        self._passes, self._batch_size = config.passes, config.batch_size
        self._train, self._drawn = train, drawn
        self.epoch = 0
        self.strength = 0.0
        self.steps = config.steps_per_epoch(len(train.labels))
        self.label_length = sum(map(len, train.labels)) / len(train.labels)

    def __call__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch."""
        rng = np.random.default_rng([self._seed, self.epoch])
        for _ in range(self._passes):
            order = rng.permutation(len(self._train.labels))
            for start in range(0, len(order), self._batch_size):
                yield self._batch(order[start : start + self._batch_size], rng)

    def _batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        images = [augment(self._train.images[index], rng, self.strength) for index in chosen]
        labels = [self._train.labels[index] for index in chosen]
        if self._drawn is not None:
            places = rng.integers(len(self._drawn.labels), size=len(chosen))
            images += [self._drawn.images[index] for index in places]
            labels += [self._drawn.labels[index] for index in places]
        return np.stack(images), encode_labels(labels, self._codec)
