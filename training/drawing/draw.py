"""Drawn captchas like the tutorial's, for experiments, samples and golden images.

The letters use the DejaVu fonts that come with matplotlib, so no font file is kept here.
"""

import functools
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.drawing.layers import Mask, moved

CAPTCHA_ALPHABET = "2345678bcdefgmnpwxy"
LENGTH = 5


def draw_captcha(text: str, seed: int, *, width: int = 200, height: int = 50) -> NDArray[np.uint8]:
    """Draw text in the style of the data set captcha_images_v2.

    Bold letters that almost touch, rippled, and torn near the middle of the image; two curved lines cross them. The
    background is light grey and brightens to the right.

    Args:
        text: one or more printable ASCII characters, no spaces; five fill the default width.
        seed: zero or more; text and seed determine the image, given the same library versions.
        width: width of the image in pixels.
        height: height of the image in pixels; the letters scale with it.

    Returns:
        A grey image, dark on light: (height, width), uint8.

    Raises:
        ValueError: the text is too wide.
    """
    rng = np.random.default_rng([seed, *text.encode()])
    scale = height / 50
    size = (38.5 + rng.uniform(-1, 1)) * scale
    left = width / (2 + len(text)) + rng.uniform(0, 3) * scale
    baseline = (42.7 + rng.uniform(-0.5, 0.5)) * scale
    tiles = [_letter(c, size, mono=rng.random() < 0.5, stroke=1.2 * scale) for c in text]
    ink = _set_letters(tiles, (height, width), left, baseline, gap=-round(scale))
    ink = _ripple(_tear(ink, scale), scale)
    for columns in ((0.1, 0.1, 0.25, 0.25), (0.1, 0.25, 0.5, 0.9)):
        points = np.array([(width * x, height * rng.random()) for x in columns])
        ink = np.maximum(ink, _bent_line(points, (height, width), scale))
    rows, cols = np.mgrid[0:height, 0:width]
    paper = 192 + 63 * (cols * width + rows * height) / (width**2 + height**2)
    # Faint JPEG artefacts, as in the data set.
    _, data = cv2.imencode(".jpg", np.round(paper * (1 - ink)).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 75])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def draw_folder(destination: Path, count: int, seed: int = 0) -> list[Path]:
    """Write images with distinct random labels to a folder, each named `<label>.png`.

    Returns:
        The files written, in order.
    """
    rng = np.random.default_rng(seed)
    labels: dict[str, None] = {}
    while len(labels) < count:
        labels["".join(CAPTCHA_ALPHABET[i] for i in rng.integers(len(CAPTCHA_ALPHABET), size=LENGTH))] = None
    destination.mkdir(parents=True, exist_ok=True)
    paths = [destination / f"{label}.png" for label in labels]
    for path in paths:
        Image.fromarray(draw_captcha(path.stem, seed)).save(path, optimize=True)
    return paths


@functools.lru_cache(maxsize=64)
def load_font(name: str, size: float) -> ImageFont.FreeTypeFont:
    """Return one of matplotlib's fonts by file name; the size is in pixels per em."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    # Every build of Pillow has the basic layout, so letters have the same position everywhere.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def cubic_curve(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return `count` points (count, 2) along the Bézier curve of four control points (4, 2)."""
    t = np.linspace(0, 1, count)[:, None]
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    return np.asarray(weights @ points)


def _letter(character: str, size: float, *, mono: bool, stroke: float) -> Mask:
    """Draw one letter as a mask as wide as its ink, with the baseline in the middle row."""
    font = load_font("DejaVuSansMono.ttf" if mono else "DejaVuSans.ttf", size)
    left, _, right, _ = font.getbbox(character, stroke_width=stroke, anchor="ls")
    half = int(1.5 * size)
    image = Image.new("L", (max(1, round(right - left)), 2 * half))
    drawing = ImageDraw.Draw(image)
    drawing.text((-left, half), character, fill=255, font=font, stroke_width=stroke, anchor="ls")
    tile = np.asarray(image, np.float32) / 255
    narrow = (max(1, round(tile.shape[1] * 0.87)), tile.shape[0])
    return cv2.resize(tile, narrow, interpolation=cv2.INTER_AREA)


def _set_letters(tiles: list[Mask], shape: tuple[int, int], left: float, baseline: float, gap: int) -> Mask:
    """Place letter masks side by side; raise ValueError if they exceed the image."""
    ends = np.cumsum([round(left)] + [tile.shape[1] + gap for tile in tiles])
    if ends[-1] - gap > shape[1]:
        raise ValueError(f"the text needs {ends[-1] - gap} pixels, and the image is {shape[1]} wide")
    ink = np.zeros(shape, np.float32)
    for tile, x in zip(tiles, ends[:-1], strict=True):
        top = round(baseline) - tile.shape[0] // 2
        rows = slice(max(top, 0), min(top + tile.shape[0], shape[0]))
        part = ink[rows, x : x + tile.shape[1]]
        np.maximum(part, tile[rows.start - top : rows.stop - top], out=part)
    return ink


def _tear(ink: Mask, scale: float) -> Mask:
    """Displace ink back and forth along rays from the centre, most at the centre and not at all 50 pixels away.

    The wavelength is only two pixels, so letters look frayed rather than bent.
    """
    y, x = np.indices(ink.shape, np.float32)
    x, y = x - ink.shape[1] / 2, y - ink.shape[0] / 2
    distance = np.maximum(np.hypot(x, y), 1e-6) / scale
    push = 3 * scale * np.sin(np.pi * distance - 10) * np.maximum(0, 1 - distance / 50) / (distance * scale)
    return moved(ink, x * push, y * push)


def _ripple(ink: Mask, scale: float) -> Mask:
    """Shift rows and columns in waves, the same in every image."""
    y, x = np.indices(ink.shape, np.float32) / scale
    return moved(ink, 2.6 * scale * np.sin(y / 15), 1.7 * scale * np.sin(x / 5))


def _bent_line(points: NDArray[np.float64], shape: tuple[int, int], scale: float) -> Mask:
    """Draw a cubic curve of four control points (4, 2) as four straight segments of decreasing width."""
    fine = 8
    corners = np.round(cubic_curve(points, 5) * fine).astype(int).tolist()
    canvas = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    for start, end, thickness in zip(corners, corners[1:], (3.6, 2.7, 1.8, 1.8), strict=False):
        cv2.line(canvas, start, end, 255, max(1, round(thickness * scale * fine)))
    return cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
