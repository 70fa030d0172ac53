"""Images without text: blank ones and noise."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.dataset import Sample

Pixels = NDArray[np.uint8]
Draw = Callable[[int, int, np.random.Generator], Pixels]


def draw_without_text(draw: Draw, like: Sequence[Sample], folder: Path, count: int) -> list[Path]:
    """Draw images into a folder, with the sizes of some samples; the same ones each time."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        with Image.open(like[index % len(like)].path) as image:
            width, height = image.size
        paths.append(folder / f"{index:04}.png")
        cv2.imwrite(str(paths[-1]), draw(width, height, np.random.default_rng(index)))
    return paths


def draw_blank(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Draw paper of one colour, or with a horizontal gradient: (height, width, 3), uint8."""
    left, right = rng.integers(0, 256, (2, 3))
    if rng.random() < 0.5:
        right = left
    row = np.linspace(left, right, width)
    return np.broadcast_to(row, (height, width, 3)).astype(np.uint8)


def draw_noise(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Draw noise around a random brightness, fine or in patches, grey or coloured: (height, width, 3), uint8."""
    channels = 1 if rng.random() < 0.5 else 3
    coarse = rng.choice([1, 2, 4])
    shape = (-(-height // coarse), -(-width // coarse), channels)
    noise = rng.normal(rng.uniform(64, 192), rng.uniform(16, 96), shape)
    large = np.repeat(np.repeat(noise, coarse, axis=0), coarse, axis=1)[:height, :width]
    return np.broadcast_to(np.clip(large, 0, 255), (height, width, 3)).astype(np.uint8)


WITHOUT_TEXT: dict[str, Draw] = {"blank": draw_blank, "noise": draw_noise}
