"""Draws text in many styles: what a network learns from before it has seen an image of yours.

Fonts, sizes, spacing, distortion, clutter, light and compression are all chosen at random, so that what is
common to the images is the shapes of the letters.
"""

import functools
import multiprocessing
import string
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.shared.cpus import available_cpus
from training.data.dataset import LabelledImages
from training.drawing.draw import Coverage, cubic_curve, draw_captcha, load_font

STYLED_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
WIDTH, HEIGHT = 200, 50
LENGTHS = (2, 8)

_FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmss10", "cmtt10", "cmti10"),
)
_GLYPH_SIZE = 48  # pixels an em; tiles are scaled down from it
_CAPTCHA_SHARE = 0.2
_LEAST_CONTRAST = 60
_CHUNK = 1_000
_ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase)

Grey = NDArray[np.uint8]
"""(HEIGHT, WIDTH), 0…255."""


def styled_text(rng: np.random.Generator) -> str:
    """Two to eight random letters and digits: half the time of all, otherwise of one kind."""
    alphabet = STYLED_ALPHABET if rng.random() < 0.5 else _ALPHABETS[rng.integers(len(_ALPHABETS))]
    return "".join(rng.choice(list(alphabet), rng.integers(LENGTHS[0], LENGTHS[1] + 1)))


def draw_styled(text: str, rng: np.random.Generator) -> Grey:
    """Draw text in a style chosen at random.

    Args:
        text: one to eight ASCII letters and digits.
        rng: the source of randomness; the same state gives the same image.

    Returns:
        A grey image: uint8 (50, 200).
    """
    if rng.random() < _CAPTCHA_SHARE and len(text) <= 5:
        return draw_captcha(text, int(rng.integers(1 << 31)))
    ink = _write(text, rng)
    for probability, change in _INK_CHANGES:
        if rng.random() < probability:
            ink = change(ink, rng)
    image = _colour(ink, rng)
    for probability, spoil in _IMAGE_CHANGES:
        if rng.random() < probability:
            image = spoil(image, rng)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def draw_images(count: int, seed: int) -> LabelledImages:
    """Draw text in many styles, on all processors.

    Returns:
        Grey images (count, 50, 200, 1); the same for the same seed, on any number of processors.
    """
    images = np.empty((count, HEIGHT, WIDTH, 1), np.uint8)
    labels: list[str] = []
    starts = range(0, count, _CHUNK)
    # Not forked: TensorFlow's threads would be left behind locked.
    with ProcessPoolExecutor(available_cpus(), multiprocessing.get_context("spawn")) as pool:
        sizes = [min(_CHUNK, count - start) for start in starts]
        for start, (chunk, texts) in zip(
            starts, pool.map(_draw_chunk, sizes, [[seed, s] for s in starts]), strict=True
        ):
            images[start : start + len(texts), :, :, 0] = chunk
            labels += texts
    return LabelledImages(images, labels)


def _draw_chunk(size: int, seed: list[int]) -> tuple[NDArray[np.uint8], list[str]]:
    rng = np.random.default_rng(seed)
    texts = [styled_text(rng) for _ in range(size)]
    return np.stack([draw_styled(text, rng) for text in texts]), texts


@functools.cache
def _glyph(font: str, character: str) -> Coverage:
    """A character on a square tile, its advance in the middle and its baseline at two thirds."""
    drawing_font = load_font(f"{font}.ttf", _GLYPH_SIZE)
    side = 2 * _GLYPH_SIZE
    tile = Image.new("L", (side, side))
    ImageDraw.Draw(tile).text((side / 2, side * 2 / 3), character, fill=255, font=drawing_font, anchor="ms")
    return np.asarray(tile, np.float32) / np.float32(255)


@functools.cache
def _ink_width(font: str, character: str) -> int:
    columns = np.flatnonzero(_glyph(font, character).max(axis=0) > 0)
    return int(columns[-1] - columns[0] + 1)


def _write(text: str, rng: np.random.Generator) -> Coverage:
    """Set the letters side by side, with as much disorder as the style has."""
    mixed = rng.random() < 0.25
    font = _FONTS[rng.integers(len(_FONTS))]
    fonts = [_FONTS[rng.integers(len(_FONTS))] if mixed else font for _ in text]
    size, stretch = rng.uniform(24, 46), rng.uniform(0.75, 1.25)
    gap = rng.uniform(-2, 3) if rng.random() < 0.5 else rng.uniform(0, 12)
    disorder = 0.0 if rng.random() < 0.35 else rng.uniform(0, 1)
    scales = size / _GLYPH_SIZE * (1 + 0.2 * disorder * rng.uniform(-1, 1, len(text)))
    widths = [
        _ink_width(*key) * scale * stretch for key, scale in zip(zip(fonts, text, strict=True), scales, strict=True)
    ]
    total = sum(widths) + gap * (len(text) - 1)
    squeeze = min(1.0, (WIDTH - 8) / total)
    room = WIDTH - total * squeeze
    x = room / 2 if rng.random() < 0.4 else rng.uniform(3, max(3.1, room - 3))
    baseline = HEIGHT / 2 + 0.36 * size + rng.uniform(-4, 4)
    slope = rng.uniform(-0.06, 0.06) if rng.random() < 0.3 else 0.0
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    for character, name, scale, width in zip(text, fonts, scales, widths, strict=True):
        centre = x + width * squeeze / 2
        y = baseline + slope * (centre - WIDTH / 2) + 5 * disorder * rng.uniform(-1, 1)
        angle = np.deg2rad(25) * disorder * rng.uniform(-1, 1)
        _stamp(ink, _glyph(name, character), (centre, y), (scale * stretch * squeeze, scale), angle)
        x += (width + gap) * squeeze
    return ink


def _stamp(ink: Coverage, tile: Coverage, at: tuple[float, float], scale: tuple[float, float], angle: float) -> None:
    """Put a glyph's baseline centre at a place, scaled and turned about its middle."""
    side = tile.shape[0]
    pivot = np.array([side / 2, side * 2 / 3 - 0.35 * _GLYPH_SIZE])
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag(scale)
    target = np.array([at[0], at[1] - 0.35 * _GLYPH_SIZE * scale[1]])
    matrix = np.column_stack([linear, target - linear @ pivot])
    np.maximum(ink, cv2.warpAffine(tile, matrix, (ink.shape[1], ink.shape[0]), flags=cv2.INTER_AREA), out=ink)


def _bolder(ink: Coverage, rng: np.random.Generator) -> Coverage:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(rng.integers(2, 4)), int(rng.integers(2, 4))))
    return cv2.dilate(ink, kernel)


def _outlined(ink: Coverage, _rng: np.random.Generator) -> Coverage:
    return cv2.morphologyEx(ink, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))


def _waved(ink: Coverage, rng: np.random.Generator) -> Coverage:
    """Wave rows sideways and columns up and down."""
    y, x = np.indices(ink.shape, np.float32)
    dx = rng.uniform(0, 3) * np.sin(y / rng.uniform(4, 16) + rng.uniform(0, 6))
    dy = rng.uniform(0, 3) * np.sin(x / rng.uniform(4, 30) + rng.uniform(0, 6))
    return _moved(ink, dx, dy)


def _frayed(ink: Coverage, rng: np.random.Generator) -> Coverage:
    """Move ink to and fro along rays from a centre in waves of few pixels."""
    y, x = np.indices(ink.shape, np.float32)
    x, y = x - rng.uniform(30, WIDTH - 30), y - rng.uniform(10, HEIGHT - 10)
    distance = np.maximum(np.hypot(x, y), 1e-6)
    fading = np.maximum(0, 1 - distance / rng.uniform(30, 120))
    push = rng.uniform(1, 3.5) * np.sin(2 * np.pi * distance / rng.uniform(1.8, 8)) * fading / distance
    return _moved(ink, x * push, y * push)


def _scratched(ink: Coverage, rng: np.random.Generator) -> Coverage:
    """Draw one to four bent lines through the text, as dark as it is or fainter."""
    for _ in range(rng.integers(1, 5)):
        ink = np.maximum(ink, _curve(rng, float(rng.uniform(1, 3.2))) * rng.choice([1.0, rng.uniform(0.4, 1)]))
    return ink


def _crossed_out(ink: Coverage, rng: np.random.Generator) -> Coverage:
    """Draw a line in the paper's colour through the text."""
    return ink * (1 - _curve(rng, float(rng.uniform(1, 2))))


def _curve(rng: np.random.Generator, thickness: float) -> Coverage:
    """A cubic curve of four random control points."""
    fine = 4
    points = np.column_stack([np.sort(rng.uniform(-10, WIDTH + 10, 4)), rng.uniform(-5, HEIGHT + 5, 4)])
    if rng.random() < 0.3:
        points = points[[1, 0, 3, 2]]
    curve = cubic_curve(points, int(rng.choice([2, 5, 20])))
    canvas = np.zeros((HEIGHT * fine, WIDTH * fine), np.uint8)
    corners = np.round(curve * fine).astype(np.int32)
    cv2.polylines(canvas, [corners], isClosed=False, color=255, thickness=max(1, round(thickness * fine)))
    return cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _dotted(ink: Coverage, rng: np.random.Generator) -> Coverage:
    """Strew dots and small blots over the image, of ink or of paper."""
    spoilt = ink.copy()
    colour = float(rng.random() < 0.75)
    for _ in range(rng.integers(10, 120)):
        x, y = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        cv2.circle(spoilt, (x, y), int(rng.integers(0, 2)), colour, -1)
    return spoilt


def _moved(ink: Coverage, dx: Coverage, dy: Coverage) -> Coverage:
    y, x = np.indices(ink.shape, np.float32)
    return cv2.remap(ink, x + dx.astype(np.float32), y + dy.astype(np.float32), cv2.INTER_LINEAR)


def _colour(ink: Coverage, rng: np.random.Generator) -> NDArray[np.float32]:
    """Ink on paper, each of one grey or running into another."""
    dark, light = sorted(rng.uniform(0, 255, 2))
    while light - dark < _LEAST_CONTRAST:
        dark, light = sorted(rng.uniform(0, 255, 2))
    if rng.random() < 0.5:
        dark, light = min(dark, 60), max(light, 190)
    paper = light + (_slope(rng, 40) if rng.random() < 0.5 else 0)
    if rng.random() < 0.3:
        paper = paper + _cloud(rng, rng.uniform(5, 30))
    image = (paper * (1 - ink) + dark * ink).astype(np.float32)
    return 255 - image if rng.random() < 0.2 else image


def _slope(rng: np.random.Generator, height: float) -> NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    return height * rng.random() * (np.cos(angle) * x + np.sin(angle) * y)


def _cloud(rng: np.random.Generator, height: float) -> NDArray[np.float64]:
    """A smooth random texture."""
    grid = rng.normal(0, height, (int(rng.integers(3, 20)), int(rng.integers(4, 50))))
    return cv2.resize(grid, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _noisy(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    return image + rng.normal(0, rng.uniform(2, 22), image.shape).astype(np.float32)


def _blurred(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.3))


def _coarse(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """As if it had been half as large."""
    scale = rng.uniform(0.4, 0.8)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)


def _gridded(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Rule the paper with a grid."""
    spoilt, grey = image.copy(), rng.uniform(0, 255)
    step = rng.integers(5, 25, 2)
    spoilt[rng.integers(step[0]) :: step[0]] = grey
    spoilt[:, rng.integers(step[1]) :: step[1]] = grey
    return spoilt


def _compressed(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    quality = int(rng.integers(25, 95))
    grey = np.clip(image, 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)


_INK_CHANGES: tuple[tuple[float, Callable[[Coverage, np.random.Generator], Coverage]], ...] = (
    (0.35, _bolder),
    (0.06, _outlined),
    (0.4, _waved),
    (0.35, _frayed),
    (0.5, _scratched),
    (0.08, _crossed_out),
    (0.2, _dotted),
)

_IMAGE_CHANGES: tuple[tuple[float, Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]], ...] = (
    (0.06, _gridded),
    (0.3, _blurred),
    (0.2, _coarse),
    (0.4, _noisy),
    (0.4, _compressed),
)
