"""Animated captchas whose text no frame shows whole are read by the shipped model as still ones are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.inference.images import decode_image
from app.inference.models.model import ImageToTextModel
from tests.training.drawing.animations import HIDING, OTHERWISE, Frame, animated
from training.drawing.draw import CAPTCHA_ALPHABET

COUNT, ENOUGH = 40, 0.95
Animate = Callable[[Frame, np.random.Generator], list[Frame]]


@pytest.fixture(scope="module")
def model(shipped_model: Path) -> ImageToTextModel:
    return ImageToTextModel(shipped_model)


@pytest.mark.parametrize("animate", (HIDING | OTHERWISE).values(), ids=HIDING | OTHERWISE)
def test_they_are_read(model: ImageToTextModel, animate: Animate) -> None:
    letters = np.random.default_rng(0).choice(list(CAPTCHA_ALPHABET), (COUNT, 5))
    texts = ["".join(word) for word in letters]
    pictures = [decode_image(animated(text, seed, animate)) for seed, text in enumerate(texts)]
    right = [reading.text == text for reading, text in zip(model.predict(pictures), texts, strict=True)]
    assert sum(right) >= ENOUGH * COUNT
