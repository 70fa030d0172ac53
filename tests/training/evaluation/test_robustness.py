"""Accuracy on changed images."""

from pathlib import Path

import numpy as np
import pytest

from app.inference import Reader
from training.data.dataset import read_image
from training.data.layouts import read_samples
from training.drawing.draw import draw_captcha
from training.evaluation.robustness import CHANGES, measure_robustness


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_returns_a_different_valid_image(name: str, channels: int) -> None:
    image = draw_captcha("2b827", seed=0)
    image = image if channels == 1 else np.dstack([image] * 3)
    before = image.copy()
    changed = CHANGES[name](image, np.random.default_rng(0))
    assert changed.dtype == np.uint8
    assert changed.ndim in {2, 3}
    assert min(changed.shape[:2]) >= 20
    np.testing.assert_array_equal(image, before)
    same = changed.shape == image.shape and bool((changed == image).all())
    assert same == (name == "as they are") or name.startswith("transparent")


def test_the_transparent_picture_is_the_picture() -> None:
    image = draw_captcha("2b827", seed=0)
    changed = CHANGES["transparent, the picture in the opacity"](image, np.random.default_rng(0))
    grey = changed if changed.ndim == 2 else changed[..., 0]
    np.testing.assert_allclose(grey.astype(int), image.astype(int), atol=1)


def test_unchanged_images_are_read_like_in_the_evaluation(trained_model: Path) -> None:
    samples = read_samples(trained_model / "val.csv")
    pictures, labels = [read_image(sample.path) for sample in samples], [sample.label for sample in samples]
    rows = measure_robustness(Reader(trained_model), pictures, labels)
    assert [row["change"] for row in rows] == list(CHANGES)
    assert rows[0]["images"] == 30
    assert rows[0]["words_right"] >= 25
    assert all(0 <= row["words_right"] <= 30 for row in rows)
