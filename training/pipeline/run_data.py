"""The images of a run; each file is opened once."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.bidi import to_visual
from app.inference.images import Pixels
from training.data.dataset import LabelledImages, Sample, checksum_of, fit_image, fitted_width, open_image
from training.data.download import CHECKSUMS
from training.fitting.config import TrainingConfig


class RunData:
    """The training and validation images of a run, fitted to the network's input.

    Files opened elsewhere can be passed in with `add`.
    """

    def __init__(self, train: Sequence[Sample], validation: Sequence[Sample], config: TrainingConfig) -> None:
        self.train, self.validation = list(train), list(validation)
        self._size = config.input_size
        samples = [*train, *validation]
        self._rows: defaultdict[Sample, list[int]] = defaultdict(list)
        for row, sample in enumerate(samples):
            self._rows[sample].append(row)
        self._images = np.empty((len(samples), config.height, config.width, config.channels), np.uint8)
        self._widths = [config.width] * len(samples)
        self._labels = [to_visual(sample.label) for sample in samples]
        self._checksums = [""] * len(samples)

    def add(self, sample: Sample, content: bytes, pixels: Pixels) -> None:
        """Keep an opened image if it is a training or validation image."""
        if rows := self._rows.get(sample):
            self._images[rows] = fit_image(pixels, self._size)
            for row in rows:
                self._widths[row] = fitted_width(pixels, self._size)
                self._checksums[row] = hashlib.sha256(content).hexdigest()

    def open_all(self) -> "RunData":
        """Open all files, and return self.

        Raises:
            ImageError: a file cannot be read.
        """
        for sample in self._rows:
            self.add(sample, *open_image(sample.path))
        return self

    @property
    def sha256(self) -> str:
        """The checksum of images and labels; see `data_checksum`."""
        return checksum_of(self._checksums, [sample.label for sample in (*self.train, *self.validation)])

    @property
    def published(self) -> dict[str, object] | None:
        """Return how many of the images are from the tutorial's data set, by checksum; None if none are."""
        listed = {line.split()[0] for line in CHECKSUMS.read_text(encoding="utf-8").splitlines()}
        images = sum(checksum in listed for checksum in self._checksums)
        return {"name": CHECKSUMS.stem, "size": len(listed), "images": images} if images else None

    def as_served(self, images: int) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
        """Return up to this many training and validation images as the service feeds them: in their own widths."""
        end = len(self.train)
        own = [image[:, :width] for image, width in zip(self._images, self._widths, strict=True)]
        return own[:end][:images], own[end:][:images]

    @property
    def train_images(self) -> LabelledImages:
        """The training images."""
        end = len(self.train)
        return LabelledImages(self._images[:end], self._labels[:end])

    @property
    def validation_images(self) -> LabelledImages:
        """The validation images."""
        start = len(self.train)
        return LabelledImages(self._images[start:], self._labels[start:])
