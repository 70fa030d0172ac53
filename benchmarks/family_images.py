"""Families of small text images that differ in text, size, background and colour, drawn from a seed.

The letters use the DejaVu fonts that come with matplotlib and the font that comes with `captcha`.
"""

import colorsys
import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import captcha.image
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.data.dataset import Sample, write_csv
from training.data.layouts import read_samples
from training.drawing.draw import CAPTCHA_ALPHABET, draw_captcha, load_font

SEED = 0
LABELS_FILE = "labels.csv"
DIGITS = "0123456789"

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Family:
    """Images of one kind."""

    name: str
    alphabet: str
    shortest: int
    longest: int
    """Maximum length of the labels, in characters."""
    suffix: str
    draw: Callable[[str, int], Image.Image]
    """Draw a text with a seed: the same image for the same two with the same library versions."""

    @property
    def lengths(self) -> str:
        """The range of label lengths, for people."""
        return f"{self.shortest}–{self.longest}" if self.longest > self.shortest else str(self.shortest)


def draw_family(family: Family, folder: Path, count: int) -> list[Sample]:
    """Fill a folder with images of distinct labels and list them in labels.csv, unless that exists.

    Labels are not in file names because some file systems treat b.png and B.png as the same file. The list is
    written last: if it exists, all images exist.

    Args:
        family: the family to draw.
        folder: created if necessary.
        count: number of images.

    Returns:
        The samples; a smaller count gives a prefix of a larger one.
    """
    labels_file = folder / LABELS_FILE
    if not labels_file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        samples = []
        for index, label in enumerate(random_labels(family, count)):
            path = Path(f"{index:05}{family.suffix}")
            family.draw(label, SEED).save(folder / path)
            samples.append(Sample(path, label))
        write_csv(samples, labels_file)
    return read_samples(labels_file)


def random_labels(family: Family, count: int) -> list[str]:
    """Return distinct random texts, with all lengths equally frequent; the same on every call."""
    rng = np.random.default_rng([SEED, *family.name.encode()])
    labels: dict[str, None] = {}
    while len(labels) < count:
        length = rng.integers(family.shortest, family.longest + 1)
        labels["".join(family.alphabet[i] for i in rng.integers(len(family.alphabet), size=length))] = None
    return list(labels)


def draw_captcha_package(text: str, seed: int) -> Image.Image:
    """Draw the default captcha of the package `captcha`: 160×60, colour, dots and an arc in the letters' colour.

    The package takes random numbers from the module `secrets`, which cannot be seeded. While an image is drawn, the
    package gets a seeded source under that name instead; the module itself is unchanged.
    """
    rng = random.Random(f"{seed} {text}")  # noqa: S311
    seeded = SimpleNamespace(choice=rng.choice, randbelow=rng.randrange, randbits=rng.getrandbits)
    with mock.patch.object(captcha.image, "secrets", seeded):
        return _captcha_package().generate_image(text)


def draw_serial_number(text: str, seed: int) -> Image.Image:
    """Draw a serial number on a label: 320×48, one font, brushed background, uneven light, slightly rotated.

    The size varies little, because only size distinguishes c from C.
    """
    width, height, size = 320, 48, 36
    rng = _rng(text, seed)
    ink = Image.new("L", (width, height))
    drawing, font = ImageDraw.Draw(ink), load_font("DejaVuSansMono.ttf", size)
    room = width - drawing.textlength(text, font)
    drawing.text((rng.uniform(0.1, 0.9) * room, 37), text, fill=255, font=font, anchor="ls")
    ink = ink.rotate(rng.uniform(-1, 1), Image.Resampling.BICUBIC)
    # Printing leaves specks blank.
    coverage = np.asarray(ink, np.float64) / 255 * (rng.random((height, width)) < 0.97)
    brushed = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), sigmaX=6, sigmaY=0.5)
    paper = np.array([224, 221, 210]) * rng.uniform(0.85, 1.05) + (10 / brushed.std()) * brushed[..., None]
    dark = np.array([45, 45, 60])
    grain = rng.normal(0, 7, (height, width, 1))
    return _image(_light(rng, width, height) * (paper + coverage[..., None] * (dark - paper)) + grain)


def draw_meter_reading(text: str, seed: int) -> Image.Image:
    """Draw a meter's counter: white digits on dark drums in a plate, 120–180 × 36–44, some ending in red."""
    rng = _rng(text, seed)
    width, height = int(rng.integers(120, 181)), int(rng.integers(36, 45))
    fine = 4  # drawn at this scale, then reduced, for smooth edges
    pitch = min(24.0, (width - 10) / len(text)) * fine
    plate = [(150, 152, 150), (205, 200, 185), (70, 72, 76), (120, 135, 150)][rng.integers(4)]
    picture = Image.new("RGB", (width * fine, height * fine), plate)
    drawing = ImageDraw.Draw(picture)
    left = (width * fine - pitch * len(text)) / 2 + rng.uniform(-3, 3) * fine
    top, bottom = 5 * fine, (height - 5) * fine
    drawing.rectangle((left - 2 * fine, top - 2 * fine, left + pitch * len(text) + fine, bottom + 2 * fine), (15,) * 3)
    font = load_font("DejaVuSans-Bold.ttf", min(0.95 * (bottom - top), 1.2 * pitch))
    red_drums = int(rng.integers(3))
    for index, digit in enumerate(text):
        start, end = left + index * pitch, left + (index + 1) * pitch - 1.5 * fine
        color = (140, 30, 30) if index >= len(text) - red_drums else (42, 42, 46)
        drawing.rectangle((start, top, end, bottom), color)
        place = (start + end) / 2, (top + bottom) / 2 + rng.uniform(-1.5, 1.5) * fine
        drawing.text((place[0], place[1] + 0.36 * font.size), digit, (232, 232, 226), font, anchor="ms")
    small = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.6) * fine)).resize((width, height))
    noise = rng.normal(0, 5, (height, width, 3))
    return _image(_light(rng, width, height) * np.asarray(small) + noise)


def draw_cyrillic_sticker(text: str, seed: int) -> Image.Image:
    """Draw letters in various colours, slightly rotated, with shadows on a transparent background: 240×64."""
    width, height, fine = 240, 64, 2
    rng = _rng(text, seed)
    # As large as fits: Щ is three times as wide as 1.
    ems = load_font("DejaVuSans-Bold.ttf", 100).getlength(text) / 100
    size = min(rng.uniform(38, 44), (width - 24) / (ems + 0.1 * len(text)))
    font = load_font("DejaVuSans-Bold.ttf", round(size * fine))
    advances = [font.getlength(character) + 0.1 * font.size for character in text]
    x = rng.uniform(0.3, 0.7) * (width * fine - sum(advances))
    letters = Image.new("RGBA", (width * fine, height * fine))
    for character, advance in zip(text, advances, strict=True):
        tile = Image.new("RGBA", letters.size)
        middle = x + advance / 2, (height / 2 + rng.uniform(-4, 4)) * fine
        baseline = middle[0], middle[1] + 0.36 * font.size
        ImageDraw.Draw(tile).text(baseline, character, _strong_color(rng), font, anchor="ms")
        letters.alpha_composite(tile.rotate(rng.uniform(-9, 9), Image.Resampling.BICUBIC, center=middle))
        x += advance
    opacity = letters.getchannel("A").filter(ImageFilter.GaussianBlur(1.5 * fine))
    shadow = Image.new("RGBA", letters.size)
    shadow.putalpha(opacity.point(lambda value: 0.3 * value))
    sticker = Image.new("RGBA", letters.size)
    sticker.alpha_composite(shadow, (fine, 2 * fine))
    sticker.alpha_composite(letters)
    return sticker.resize((width, height), Image.Resampling.BOX)


def draw_web_captcha(text: str, seed: int) -> Image.Image:
    """Draw a captcha like `python -m training draw`: 200×50, grey."""
    return Image.fromarray(draw_captcha(text, seed))


def _rng(text: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *text.encode()])


@functools.cache
def _captcha_package() -> captcha.image.ImageCaptcha:
    return captcha.image.ImageCaptcha()


def _light(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Return the brightness of each pixel, around 1: (height, width, 1), smooth over a third of the width."""
    spots = cv2.resize(rng.uniform(0.7, 1.15, (2, 4)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(spots)[..., None]


def _strong_color(rng: np.random.Generator) -> Color:
    """Return a random hue, dark enough to be visible on white."""
    red, green, blue = colorsys.hls_to_rgb(rng.random(), rng.uniform(0.25, 0.4), rng.uniform(0.6, 1))
    return round(255 * red), round(255 * green), round(255 * blue)


def _image(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


FAMILIES = {
    family.name: family
    for family in (
        # The package rotates letters by up to 30°, lets them overlap and may cut off their tops. The alphabet has
        # at most one of each group that people confuse (0 o, 1 i j l, 2 z, 5 s, 9 g q, h n, u v; r n for m, v v for w).
        Family("captcha-package", "23456789abcdefkmnptuwxy", 4, 4, ".png", draw_captcha_package),
        # The font has a dotted zero and distinguishes 1, I and l.
        Family(
            "serial-numbers",
            DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz",
            4,
            10,
            ".jpg",
            draw_serial_number,
        ),
        Family("meter-readings", DIGITS, 5, 8, ".png", draw_meter_reading),
        # Without З and О, which look like 3 and 0, and Ё, which Russians write as Е.
        Family("cyrillic-stickers", DIGITS + "АБВГДЕЖИЙКЛМНПРСТУФХЦЧШЩЪЫЬЭЮЯ", 3, 7, ".png", draw_cyrillic_sticker),
        Family("web-captcha", CAPTCHA_ALPHABET, 4, 6, ".png", draw_web_captcha),
    )
}
