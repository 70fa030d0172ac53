"""Test-time augmentation: several shifted copies of an image vote."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.inference.images import Pixels, decode_image
from app.inference.models.model import ImageToTextModel
from app.inference.models.reading import Reading
from training.drawing.draw import draw_captcha
from training.evaluation.views import VIEWS, read_views, shift


class Doubtful:
    """A reader of unshifted images as `wrong` with high confidence, and of shifted ones as `right` with less."""

    def __init__(self, image: Pixels) -> None:
        self.image = image

    def predict(self, images: Sequence[Pixels]) -> list[Reading]:
        same = [np.array_equal(image, self.image) for image in images]
        return [Reading("wrong", 1.0, ()) if one else Reading("right", 0.5, ()) for one in same]


def drawn(text: str) -> Pixels:
    return draw_captcha(text, seed=0)


def test_the_most_probable_text_over_all_copies_is_read() -> None:
    image = drawn("b5wn6")
    (reading,) = read_views(Doubtful(image).predict, [image])
    assert reading.text == "right"
    assert reading.confidence == pytest.approx(0.5 * (VIEWS - 1) / VIEWS)


def test_of_no_images_there_are_no_readings() -> None:
    assert read_views(Doubtful(drawn("b5wn6")).predict, []) == []


def test_the_shipped_model_reads_the_same_with_augmentation(shipped_model: Path, samples: dict[str, bytes]) -> None:
    readings = read_views(ImageToTextModel(shipped_model).predict, [decode_image(image) for image in samples.values()])
    assert [reading.text for reading in readings] == list(samples)
    assert all(0.9 < reading.confidence <= 1 for reading in readings)


def test_a_copy_is_shifted_by_a_fraction_of_the_size_and_filled_from_the_border() -> None:
    image = np.arange(200, dtype=np.uint8).repeat(50).reshape(200, 50).T.copy()
    moved = shift(image, 0.01, 0.0)
    assert moved.shape == image.shape
    assert moved[0, :4].tolist() == [0, 0, 0, 1]
    np.testing.assert_array_equal(shift(image, 0.0, 0.04), image)
