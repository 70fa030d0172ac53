"""Clean images of text, which a tiny model learns to read within seconds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.drawing.draw import load_font


def draw_plain(text: str, seed: int, *, width: int = 200, height: int = 50) -> NDArray[np.uint8]:
    """Dark text on a light ground, about in the middle, with a little noise: uint8 (height, width)."""
    rng = np.random.default_rng([seed, *text.encode()])
    font = load_font("DejaVuSansMono.ttf", rng.uniform(0.58, 0.66) * height)
    image = Image.new("L", (width, height), 235)
    place = (max(width - font.getlength(text), 0) * rng.uniform(0.4, 0.6), rng.uniform(0.7, 0.78) * height)
    ImageDraw.Draw(image).text(place, text, fill=35, font=font, stroke_width=height / 100, anchor="ls")
    return np.clip(np.round(np.asarray(image) + rng.normal(0, 3, (height, width))), 0, 255).astype(np.uint8)


def draw_plain_folder(
    folder: Path, count: int, *, seed: int, alphabet: str = "0123456789", length: int = 4
) -> list[Path]:
    """Write images of different random texts into a folder, each named `<text>.png`."""
    rng = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts["".join(rng.choice(list(alphabet), length))] = None
    folder.mkdir(parents=True, exist_ok=True)
    for text in texts:
        Image.fromarray(draw_plain(text, seed)).save(folder / f"{text}.png")
    return [folder / f"{text}.png" for text in texts]
