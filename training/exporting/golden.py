"""What is kept with a model so that the service can tell that it is whole and the right one."""

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
"""What is surer than this is read the same on any processor."""


def write_golden(folder: Path, prior: TextPrior | None = None) -> None:
    """Write the drawn image that the model of a folder is surest of, and what it reads there.

    The images show texts that are likely by the prior, so that the model reads the same with it and without it.

    Drawn, because the images of the data may not be shown to everybody. A model that is sure of none of them, or whose
    characters are none that are drawn here, gets no such image.
    """
    model = ImageToTextModel(folder)
    letters = [character for character in model.configs.vocab if "!" <= character <= "~"]
    if not letters:
        return
    rng = np.random.default_rng(0)
    texts = [likely_text(prior, letters, rng) or "".join(rng.choice(letters, 5)) for _ in range(DRAWN)]
    images = [draw_captcha(text, seed) for seed, text in enumerate(texts)]
    readings = model.predict(images)
    surest = max(range(DRAWN), key=lambda index: (readings[index].text == texts[index], readings[index].confidence))
    if not readings[surest].text or readings[surest].confidence < MIN_CONFIDENCE:
        return
    cv2.imwrite(str(folder / GOLDEN_IMAGE), images[surest])
    (folder / GOLDEN_TEXT).write_text(readings[surest].text + "\n", encoding="utf-8")


def write_sums(folder: Path) -> None:
    """Write the list of SHA-256 sums, as `sha256sum` does, of the files that make the model what it is."""
    names = [name for name in (CONFIGS_FILE, GOLDEN_IMAGE, GOLDEN_TEXT, MODEL_FILE) if (folder / name).exists()]
    lines = [f"{sha256_of_file(folder / name, MAX_FILE_BYTES)}  {name}\n" for name in names]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8")
