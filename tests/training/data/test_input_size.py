"""The size of a network's input depends on the images."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.dataset import Sample
from training.data.input_size import input_size


def images(folder: Path, *sizes: tuple[int, int], label: str = "abcd") -> list[Sample]:
    """Write a blank image of each (width, height)."""
    samples = []
    for number, (width, height) in enumerate(sizes):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.zeros((height, width), np.uint8))
        samples.append(Sample(path, label))
    return samples


def size(
    samples: list[Sample], height: int = 50, width: int | None = None, *, open_width: bool = False
) -> tuple[int, int]:
    chosen = input_size(samples, height=height, width=width, open_width=open_width)
    return chosen["width"], chosen["height"]


def test_images_keep_their_shape_at_a_height_of_fifty_pixels(tmp_path: Path) -> None:
    assert size(images(tmp_path, (200, 50))) == (200, 50)
    assert size(images(tmp_path, (160, 60))) == (132, 50)
    assert size(images(tmp_path, (640, 96))) == (332, 50)


@pytest.mark.parametrize(
    ("shape", "width"), [((200, 31), 200), ((124, 24), 200), ((260, 31), 260), ((72, 27), 128), ((640, 96), 320)]
)
def test_low_images_are_not_enlarged_beyond_200_columns(tmp_path: Path, shape: tuple[int, int], width: int) -> None:
    assert size(images(tmp_path, shape), 48) == (width, 48)


def test_the_median_of_mixed_shapes_is_used(tmp_path: Path) -> None:
    assert size(images(tmp_path, (100, 50), (200, 50), (1000, 50))) == (200, 50)


def test_the_longest_label_fits(tmp_path: Path) -> None:
    assert size(images(tmp_path, (50, 50), label="0123456789")) == (120, 50)


def test_a_given_width_is_used(tmp_path: Path) -> None:
    samples = images(tmp_path, (160, 60))
    assert size(samples, width=96, height=32) == (96, 32)
    assert size(samples, height=60) == (160, 60)


def test_different_shapes_keep_their_proportions_if_the_network_takes_any_width(tmp_path: Path) -> None:
    varied = images(tmp_path, (140, 80), (400, 80), (780, 80))
    assert input_size(varied, height=48, width=None, open_width=True)["keep_proportions"]
    assert not input_size(varied, height=48, width=None, open_width=False)["keep_proportions"]
    assert not input_size(varied, height=48, width=200, open_width=True)["keep_proportions"]
    assert size(varied, 48, open_width=True)[0] % 8 == 0
    alike = images(tmp_path, (200, 50), (205, 50))
    assert not input_size(alike, height=48, width=None, open_width=True)["keep_proportions"]


@pytest.mark.parametrize(("shape", "width"), [((8, 50), 48), ((5000, 50), 2048)])
def test_extreme_widths_are_limited(tmp_path: Path, shape: tuple[int, int], width: int) -> None:
    assert size(images(tmp_path, shape)) == (width, 50)


def test_unreadable_images_are_skipped(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no image")
    missing = Sample(tmp_path / "missing.png", "abcd")
    assert size([Sample(damaged, "abcd"), missing, *images(tmp_path, (160, 60))]) == (132, 50)
    assert size([missing]) == (200, 50)
