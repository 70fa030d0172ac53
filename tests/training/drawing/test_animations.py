"""The shipped model reads animated captchas like still ones, even if no frame shows the whole text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.inference.images import decode_image
from app.inference.models.model import ImageToTextModel
from tests.training.drawing.animations import HIDING, OTHERWISE, Frame, animated, behind_a_bar_and_noise
from training.drawing.draw import CAPTCHA_ALPHABET

COUNT, ENOUGH, ENOUGH_IN_NOISE = 40, 0.95, 0.75
Animate = Callable[[Frame, np.random.Generator], list[Frame]]


@pytest.fixture(scope="module")
def model(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


@pytest.mark.parametrize("animate", (HIDING | OTHERWISE).values(), ids=HIDING | OTHERWISE)
def test_they_are_read(model: ImageToTextModel, animate: Animate) -> None:
    assert share_read(model, animate) >= ENOUGH


def test_most_are_read_if_frames_hide_parts_and_have_noise(model: ImageToTextModel) -> None:
    assert share_read(model, behind_a_bar_and_noise) >= ENOUGH_IN_NOISE


def share_read(model: ImageToTextModel, animate: Animate) -> float:
    letters = np.random.default_rng(0).choice(list(CAPTCHA_ALPHABET), (COUNT, 5))
    texts = ["".join(word) for word in letters]
    pictures = [decode_image(animated(text, seed, animate)) for seed, text in enumerate(texts)]
    right = [reading.text == text for reading, text in zip(model.predict(pictures), texts, strict=True)]
    return sum(right) / COUNT
