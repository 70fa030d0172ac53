"""Devices that show numbers: segment and dot-matrix displays, mechanical counters, and plates."""

import string

import cv2
import numpy as np
from numpy.typing import NDArray

from training.drawing.layers import (
    Colour,
    Layer,
    Mask,
    Picture,
    contrasting_colour,
    empty_layer,
    lay_over,
    random_colour,
    set_ink,
)
from training.drawing.typefaces import SIZES, Typeface, glyph

READINGS, LONGEST_READING = set(string.digits + ".,:-"), 10
"""The characters of segment displays, and the maximum length of a reading."""
_UNITS = ("kWh", "kW", "m3", "V", "A")
LEGEND_CHARACTERS = set(string.ascii_uppercase).union(*_UNITS)
"""The characters of what is printed beside numbers."""
_POINTS = set(".,")
"""Characters in the gap between two digits."""
_SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
    "8": "abcdefg", "9": "abcdfg", "-": "g",
}  # fmt: skip
"""The lit segments of each character: a at the top, then clockwise, g in the middle."""


def segment_display(text: str, face: Typeface, height: int, rng: np.random.Generator) -> Picture:
    """Draw a number on a seven-segment display, slanted, with unlit segments sometimes visible.

    Legends in the typeface, not part of the text, may surround it. `height` is the height of the digits in pixels.
    """
    ground = _display_colour(rng)
    colour = contrasting_colour(ground, float(rng.choice([15, 25, 45, 70])), rng)
    width, thick = height * rng.uniform(0.4, 0.68), height * rng.uniform(0.07, 0.17)
    gap, cut = height * rng.uniform(0.25 if set(text) & _POINTS else 0.1, 0.45), rng.uniform(0.02, 0.12) * thick
    lean = height * rng.uniform(0, 0.18)
    margins = (_random_margins(rng) * height).astype(int)
    ghost = np.float32(rng.uniform(0, 0.22) if rng.random() < 0.4 else 0)
    layer = empty_layer(
        height + margins[0] + margins[1], int(len(text) * (width + gap) + margins[2] + margins[3] + lean)
    )
    x = margins[2] + lean
    point = max(thick * rng.uniform(0.6, 1.2), 0.08 * height)
    scale, decimals = 1.0, rng.uniform(0.45, 0.85) if rng.random() < 0.4 else 1.0
    for character in text:
        stroke = scale * (point if character in ".,:" else thick)
        lit, unlit = _segments(character, round(height * scale), width * scale, stroke, cut)
        inside = character in _POINTS
        left, top = round(x - (gap + lit.shape[1]) / 2 if inside else x), int(margins[0]) + height - lit.shape[0]
        set_ink(layer, unlit * ghost, left, top, colour)
        set_ink(layer, lit, left, top, colour)
        if inside:
            scale = decimals
        else:
            x += lit.shape[1] + gap
    if lean:
        matrix = np.array([[1, -lean / height, lean * (margins[0] / height)], [0, 1, 0]])
        layer = cv2.warpAffine(layer, matrix, (layer.shape[1], layer.shape[0]))
    layer = layer[:, : max(8, round(x - gap + margins[3]))]
    if set(face.characters) >= LEGEND_CHARACTERS:
        layer = _with_legends(layer, margins[0], height, face, colour, rng)
    return _on_plate(layer, ground, rng)


def _random_margins(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the margins above, below, before and after a number, relative to its height."""
    margins = rng.uniform(0.02, 0.5, 4)
    if rng.random() < 0.3:
        margins[2 + int(rng.integers(2))] = rng.uniform(0.5, 2.5)
    return margins


def _display_colour(rng: np.random.Generator) -> Colour:
    """Return the background colour of a display: dark, grey or saturated."""
    kind = rng.random()
    if kind < 0.35:
        return random_colour(rng) * np.float32(0.25)
    if kind < 0.6:
        return np.clip(rng.uniform(90, 220) + rng.normal(0, 15, 3), 0, 255).astype(np.float32)
    hue = np.array([[[rng.integers(180), rng.integers(90, 256), rng.integers(110, 256)]]], np.uint8)
    return cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)


def _with_legends(
    layer: Layer, above: int, height: int, face: Typeface, colour: Colour, rng: np.random.Generator
) -> Layer:
    """Draw legends after and before the number, and above or below it, cut off at the edge of the display."""
    if rng.random() < 0.4:
        layer = np.hstack([layer, _legend_beside(face, layer.shape[0], height, colour, rng)])
    if rng.random() < 0.25:
        layer = np.hstack([_legend_beside(face, layer.shape[0], height, colour, rng), layer])
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.45 else 0):
        legend = _legend(face, height, rng)
        top = above - legend.shape[0] if rng.random() < 0.5 else above + height
        set_ink(layer, legend, int(rng.integers(layer.shape[1])), int(top), colour)
    return layer


def _legend_beside(face: Typeface, rows: int, height: int, colour: Colour, rng: np.random.Generator) -> Layer:
    """Draw a legend at a random height."""
    legend = _legend(face, height, rng)
    layer = empty_layer(rows, legend.shape[1] + height // 4)
    set_ink(layer, legend, 0, int(rows * rng.uniform(0.45, 0.95)) - legend.shape[0], colour)
    return layer


def _legend(face: Typeface, height: int, rng: np.random.Generator) -> Mask:
    """Draw a unit of measurement or some capital letters, a fifth to three fifths as high as the number."""
    capitals = "".join(rng.choice(list(string.ascii_uppercase), int(rng.integers(1, 6))))
    text = str(rng.choice(_UNITS)) if rng.random() < 0.4 else capitals
    letters = [glyph(face, letter, SIZES[0], smooth=True).mask for letter in text]
    scale = height * rng.uniform(0.2, 0.6) / SIZES[0]
    small = [cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for mask in letters]
    legend = np.zeros((max(mask.shape[0] for mask in small), sum(mask.shape[1] + 1 for mask in small)), np.uint8)
    x = 0
    for mask in small:
        legend[-mask.shape[0] :, x : x + mask.shape[1]] = mask
        x += mask.shape[1] + 1
    return _coverage(legend)


def _segments(character: str, height: int, width: float, thick: float, cut: float) -> tuple[Mask, Mask]:
    """Return the masks of the lit and the unlit segments."""
    columns = round(thick * 1.2) if character in ".,:" else round(width)
    lit, unlit = (np.zeros((height, max(2, columns)), np.uint8) for _ in range(2))
    if character in _POINTS:
        cv2.circle(lit, (columns // 2, round(height - thick / 2)), max(1, round(thick * 0.6)), 255, -1, cv2.LINE_AA)
    elif character == ":":
        for y in (0.3, 0.7):
            cv2.circle(lit, (columns // 2, round(height * y)), max(1, round(thick * 0.6)), 255, -1, cv2.LINE_AA)
    else:
        for name, polygon in _polygons(height, width, thick, cut).items():
            for mask in (lit, unlit) if name in _SEGMENTS[character] else (unlit,):
                cv2.fillPoly(mask, [np.round(np.array(polygon) * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return _coverage(lit), _coverage(unlit)


def _coverage(drawn: NDArray[np.uint8]) -> Mask:
    return drawn.astype(np.float32) / np.float32(255)


def _polygons(height: int, width: float, thick: float, cut: float) -> dict[str, list[tuple[float, float]]]:
    """Return the corners of each segment in pixels: bars with pointed ends and small gaps."""
    half, right, bottom, middle = thick / 2, width - 1, height - 1, (height - 1) / 2

    def across(y: float) -> list[tuple[float, float]]:
        a, b = half + cut, right - half - cut
        return [(a, y), (a + half, y - half), (b - half, y - half), (b, y), (b - half, y + half), (a + half, y + half)]

    def down(x: float, top: float, end: float) -> list[tuple[float, float]]:
        a, b = top + cut, end - cut
        return [(x, a), (x + half, a + half), (x + half, b - half), (x, b), (x - half, b - half), (x - half, a + half)]

    top, low = half, bottom - half
    return {
        "a": across(top), "g": across(middle), "d": across(low),
        "f": down(half, top, middle), "b": down(right - half, top, middle),
        "e": down(half, middle, low), "c": down(right - half, middle, low),
    }  # fmt: skip


def dot_display(text: str, face: Typeface, height: int, rng: np.random.Generator) -> Picture:
    """Draw a text in round or square dots, like dot-matrix panels and printers."""
    size = SIZES[0]
    glyphs = [glyph(face, character, size, smooth=True) for character in text]
    rows = int(rng.integers(9, 14))
    top = min(drawn.top for drawn in glyphs)
    bottom = max(drawn.top + drawn.mask.shape[0] for drawn in glyphs)
    dot_size = (bottom - top) // rows + 1
    masks = [
        _visible_point(drawn.mask, dot_size) if character in _POINTS else drawn.mask
        for character, drawn in zip(text, glyphs, strict=True)
    ]
    line = empty_layer(bottom - top, sum(mask.shape[1] + 3 for mask in masks))
    x = 0
    for mask, drawn in zip(masks, glyphs, strict=True):
        set_ink(line, _coverage(mask), x, drawn.top - top, np.zeros(3, np.float32))
        x += mask.shape[1] + 3
    columns = max(4, round(line.shape[1] * rows / line.shape[0]))
    lit = cv2.resize(line[:, :, 3], (columns, rows), interpolation=cv2.INTER_AREA) > 0.4
    pitch = max(2, round(height / rows))
    dot = np.zeros((pitch, pitch), np.float32)
    radius = pitch * rng.uniform(0.3, 0.55)
    y, x_ = np.indices((pitch, pitch)) - (pitch - 1) / 2
    dot[:] = np.clip(radius + 0.5 - np.hypot(x_, y), 0, 1) if rng.random() < 0.7 else 1
    dots = np.kron(lit.astype(np.float32), dot)
    ground = random_colour(rng) * np.float32(0.3 if rng.random() < 0.6 else 1)
    margin = int(rng.uniform(0.1, 0.5) * dots.shape[0])
    layer = empty_layer(dots.shape[0] + 2 * margin, dots.shape[1] + 2 * margin)
    set_ink(layer, dots, margin, margin, contrasting_colour(ground, 70, rng))
    return _on_plate(layer, ground, rng)


def _visible_point(mask: NDArray[np.uint8], dot_size: int) -> NDArray[np.uint8]:
    """Return a point at least as large as a dot, with as much space on both sides."""
    return np.pad(cv2.dilate(mask, np.ones((dot_size, dot_size))), ((0, 0), (dot_size, dot_size)))


def drums(text: str, face: Typeface, height: int, rng: np.random.Generator) -> Picture:
    """Draw a mechanical counter: one digit per window, the last one often between two digits."""
    dark = rng.random() < 0.4
    light = rng.uniform(10, 60) if dark else rng.uniform(120, 245)
    drum = np.clip(light + rng.normal(0, 8, 3), 0, 255).astype(np.float32)
    colour = contrasting_colour(drum, 80, rng)
    frame = np.clip(drum * np.float32(rng.uniform(0.2, 1.1)) + rng.uniform(-30, 30), 0, 255).astype(np.float32)
    bare = rng.random() < 0.35  # adjacent drums with only marks between them
    width, gap = round(height * rng.uniform(0.5, 0.85)), round(height * rng.uniform(0.03, 0.1 if bare else 0.4))
    fraction = int(rng.integers(0, 3)) if rng.random() < 0.3 else 0  # last drums red, as on gas meters
    pitch = height * rng.uniform(0.7, 1.05)  # between digits: parts of both neighbours are visible
    size = pitch * rng.uniform(0.7, 1.15)
    windows = []
    for place, character in enumerate(text):
        last = place == len(text) - 1
        rotation = rng.uniform(-0.25, 0.6) if last and rng.random() < 0.7 else rng.normal(0, 0.05)
        red = place >= len(text) - fraction
        ground = np.array([30, 30, 170], np.float32) if red else drum
        ink = np.full(3, 235, np.float32) if red else colour
        windows.append(_window(character, rotation * pitch, face, (height, width), (size, pitch), ground, ink))
    pad = int(rng.integers(0, height // 3 + 1))
    picture = np.empty((height + 2 * pad, len(text) * (width + gap) - gap + 2 * pad, 3), np.float32)
    picture[:] = drum if bare else frame
    for place, window in enumerate(windows):
        x = pad + place * (width + gap)
        picture[pad : pad + height, x : x + width] = window
        if bare:
            _marks(picture[pad : pad + height, x + width : x + width + gap], colour, rng)
        elif rng.random() < 0.7:
            edge = (frame * 0.5).tolist()
            cv2.rectangle(picture, (x, pad), (x + width - 1, pad + height - 1), edge, max(1, height // 30))
    return picture


def _marks(between: Picture, colour: Colour, rng: np.random.Generator) -> None:
    """Draw the gap between two drums: a line, or the teeth of the gear."""
    if between.size == 0:
        return
    column = int(rng.integers(between.shape[1]))
    period, share = rng.uniform(0.1, 0.5) * between.shape[0], rng.uniform(0.4, 1.3)
    rows = (np.arange(between.shape[0]) + rng.uniform(0, period)) % period < share * period
    between[rows, column:] = colour * np.float32(rng.uniform(0.5, 1))


def _window(
    character: str,
    rotation: float,
    face: Typeface,
    shape: tuple[int, int],
    type_size: tuple[float, float],
    ground: Colour,
    ink: Colour,
) -> Picture:
    """Draw the visible part of a drum rotated by `rotation` pixels; `type_size` is the size and pitch of its digits."""
    height, width = shape
    size, pitch = type_size
    source = next((known for known in SIZES if known >= size), SIZES[-1])
    layer = empty_layer(height, width)
    digit = int(character)
    for step in (-1, 0, 1):
        mask = glyph(face, str((digit + step) % 10), source, smooth=True).mask
        scale = size / source
        tile = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        y = height / 2 + step * pitch - rotation - tile.shape[0] / 2
        set_ink(layer, _coverage(tile), round((width - tile.shape[1]) / 2), round(y), ink)
    bulge = 1 - 0.45 * np.abs(np.linspace(-1, 1, height, dtype=np.float32)) ** 2
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = ground
    return lay_over(picture, layer) * bulge.astype(np.float32)[:, np.newaxis, np.newaxis]


def housed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Crop a device like a careless photograph: with some of its housing, or slightly cut off."""
    height = picture.shape[0]
    if rng.random() < 0.4:
        cut = rng.uniform(0, 0.1, 2) * height
        picture = picture[int(cut[0]) : height - int(cut[1])]
    above, below, before, behind = (np.maximum(0, rng.uniform(-0.2, 0.25, 4)) * height).astype(int).tolist()
    for top, bottom, left, right in ((above, below, 0, 0), (0, 0, before, behind)):
        colour = (random_colour(rng) * np.float32(rng.choice([0.3, 1]))).tolist()
        picture = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=colour)
    return picture


def framed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add one or two borders, each of one colour, like those of plates and labels."""
    thickness = int(rng.integers(1, max(2, picture.shape[0] // 10 + 1)))
    outer = int(rng.integers(0, thickness * 2 + 1))
    for width in (thickness, outer):
        colour = random_colour(rng).tolist()
        picture = cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_CONSTANT, value=colour)
    return picture


def _on_plate(layer: Layer, ground: Colour, rng: np.random.Generator) -> Picture:
    """Draw a display's digits over its background, with the shadow of a liquid crystal display."""
    picture = np.empty((*layer.shape[:2], 3), np.float32)
    picture[:] = ground
    if rng.random() < 0.35:
        shift = int(rng.integers(1, 4))
        shadow = np.roll(layer[:, :, 3:], (shift, shift), (0, 1))
        picture = picture * (1 - np.float32(0.25) * shadow)
    return lay_over(picture, layer)
