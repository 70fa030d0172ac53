"""A grid of augmented images, to inspect the training data."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from app.shared.files import write_atomically
from training.data.dataset import Sample, load_images
from training.fitting.augment import augment
from training.fitting.config import TrainingConfig

ROWS, COLUMNS, GAP = 8, 5, 4


def draw_preview(samples: Sequence[Sample], config: TrainingConfig, path: Path) -> None:
    """Write a PNG in which each row has an image as the network's input and its augmented versions at full strength.

    Raises:
        ImageError: an image cannot be read.
        OSError: the file cannot be written.
    """
    rng = np.random.default_rng(config.seed)
    chosen = [samples[index] for index in sorted(rng.permutation(len(samples))[:ROWS].tolist())]
    images = load_images(chosen, config.input_size).images
    rows = [[image, *(augment(image, rng) for _ in range(COLUMNS - 1))] for image in images]
    bordered = [
        np.hstack(
            [cv2.copyMakeBorder(image, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255)) for image in row]
        )
        for row in rows
    ]
    _, png = cv2.imencode(".png", np.vstack(bordered))
    with write_atomically(path, "wb") as file:
        file.write(png.tobytes())
