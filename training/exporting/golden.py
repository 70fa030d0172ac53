"""Files with which the service verifies that a model is complete and correct."""

from pathlib import Path

import cv2
import numpy as np

from app.inference.decoding.prior import TextPrior
from app.inference.models.configs import CONFIGS_FILE
from app.inference.models.folders import MAX_FILE_BYTES
from app.inference.models.integrity import GOLDEN_IMAGE, GOLDEN_TEXT, SUMS_FILE
from app.inference.models.model import MODEL_FILE, ImageToTextModel
from app.shared.files import sha256_of_file
from training.data.text_prior import likely_text
from training.drawing.draw import draw_captcha

DRAWN = 16
MIN_CONFIDENCE = 0.5
"""Readings above this confidence are the same on any processor."""


def write_golden(folder: Path, prior: TextPrior | None = None) -> None:
    """Write the drawn image that the folder's model reads most confidently, and its text.

    The texts are likely under the prior, so that the model reads the same with and without it. Images are drawn
    because the data may not be public. If no image is read confidently, or the vocabulary cannot be drawn, nothing is
    written.
    """
    model = ImageToTextModel(folder)
    letters = [character for character in model.configs.vocab if "!" <= character <= "~"]
    if not letters:
        return
    rng = np.random.default_rng(0)
    texts = [likely_text(prior, letters, rng) or "".join(rng.choice(letters, 5)) for _ in range(DRAWN)]
    images = [draw_captcha(text, seed) for seed, text in enumerate(texts)]
    readings = model.predict(images)
    best = max(range(DRAWN), key=lambda index: (readings[index].text == texts[index], readings[index].confidence))
    if not readings[best].text or readings[best].confidence < MIN_CONFIDENCE:
        return
    cv2.imwrite(str(folder / GOLDEN_IMAGE), images[best])
    (folder / GOLDEN_TEXT).write_text(readings[best].text + "\n", encoding="utf-8")


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 checksums, in the format of `sha256sum`, of the files that define the model."""
    names = [name for name in (CONFIGS_FILE, GOLDEN_IMAGE, GOLDEN_TEXT, MODEL_FILE) if (folder / name).exists()]
    lines = [f"{sha256_of_file(folder / name, MAX_FILE_BYTES)}  {name}\n" for name in names]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8")
