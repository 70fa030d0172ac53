"""A grid of the worst readings. It shows images of the data, so store it only where these may be stored."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox

from app.inference.images import ImageError, Pixels
from app.inference.models.reading import Character
from app.shared.files import write_atomically
from training.data.dataset import read_image
from training.evaluation.evaluate import Line
from training.evaluation.lettering import EM, FONT, printable, printable_text
from training.evaluation.metrics import aligned

TILES, COLUMNS = 24, 4
WRONG, RIGHT, FAINT = "#c2571a", "#2261a8", "#777777"
MAX_SIDE = 1300
"""Pixels. Larger images are shrunk: no tile shows more, and matplotlib would copy them several times."""

# In inches.
WIDTH, MARGIN, HEADING = 13.0, 0.22, 0.75
TITLE, LETTERS = 0.28, 0.5
MAX_TILE_HEIGHT = 2.0
MIN_SLOT_WIDTH = 0.13

# In points.
TITLE_SIZE, LETTER_SIZE, SMALL_SIZE = 10.0, 9.5, 6.5

EXPLANATION = (
    "✗ wrong, most confident first; then ✓ right, least confident first. Above: label → prediction, and the "
    "confidence of the word.\nBelow: each character read and its confidence; errors are bold, their boxes dashed."
)


@dataclass(frozen=True)
class Tile:
    """An image and its reading."""

    line: Line
    image: Pixels
    width: int
    """Pixels before shrinking; the boxes refer to these."""
    height: int

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


def worst_first(lines: Sequence[Line]) -> list[Line]:
    """Sort wrong readings, most confident first, as these do most harm; then right ones, least confident first."""
    return sorted(lines, key=lambda line: (line.right, line.confidence if line.right else -line.confidence))


def plot_worst_readings(lines: Sequence[Line], path: Path) -> None:
    """Draw the 24 worst readings, with a box and a confidence for each character, as a PNG.

    Images that cannot be opened are skipped.
    """
    tiles = _open(worst_first(lines)[:TILES])
    columns = _columns(tiles)
    width = (WIDTH - MARGIN) / columns - MARGIN
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [min(max(width / tile.aspect for tile in row), MAX_TILE_HEIGHT) for row in rows]
    total = HEADING + sum(TITLE + height + LETTERS for height in heights)

    figure = Figure(figsize=(WIDTH, total), dpi=100)
    # One pair of axes in inches keeps texts apart whatever the aspect ratios of the images.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(total, 0), autoscale_on=False)
    axes.set_axis_off()
    wrong = sum(not line.right for line in lines)
    heading = f"{wrong:,} of {len(lines):,} images read wrong. The {len(tiles)} worst readings:"
    axes.text(MARGIN, 0.22, heading, fontsize=12, fontweight="bold", va="center")
    axes.text(MARGIN, 0.36, EXPLANATION, fontsize=8, color="#444444", va="top")
    top = HEADING
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            _draw_tile(axes, tile, Bbox.from_bounds(MARGIN + column * (width + MARGIN), top + TITLE, width, height))
        top += TITLE + height + LETTERS
    with write_atomically(path, "wb") as file:
        figure.savefig(file, format="png")


def _open(lines: Sequence[Line]) -> list[Tile]:
    tiles = []
    for line in lines:
        with suppress(ImageError):
            image = read_image(Path(line.path))
            tiles.append(Tile(line, _shrunk(image), image.shape[1], image.shape[0]))
    return tiles


def _shrunk(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    factor = MAX_SIDE / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _columns(tiles: Sequence[Tile]) -> int:
    """Return the number of tiles per row: fewer if images are wide, so that their characters stay legible."""
    widest = max((tile.aspect for tile in tiles), default=1.0)
    most = COLUMNS if widest < 8 else 2 if widest < 16 else 1
    return min(most, max(2, len(tiles)))


def _draw_tile(axes: Axes, tile: Tile, frame: Bbox) -> None:
    """Draw an image as large as the frame (in inches) allows, with its title above and its characters below."""
    scale = min(frame.width / tile.aspect, frame.height)
    width = scale * tile.aspect
    picture = Bbox.from_bounds(frame.x0 + (frame.width - width) / 2, frame.y0, width, scale)
    pixels = tile.image if tile.image.ndim == 2 else tile.image[..., ::-1]  # OpenCV's blue, green, red
    extent = (picture.x0, picture.x1, picture.y1, picture.y0)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
    _draw_title(axes, tile.line, frame)
    _draw_outline(axes, picture, tile.line.right, 0.8 if tile.line.right else 2.0)
    if tile.line.characters:
        _draw_characters(axes, tile, picture, frame)


def _draw_title(axes: Axes, line: Line, frame: Bbox) -> None:
    room = int(72 * frame.width / (EM * TITLE_SIZE)) - len("✗  →  0.987")
    label, read = (printable_text(text, room // 2) for text in (line.label, line.prediction))
    axes.text(
        frame.x0,
        frame.y0 - 0.08,
        f"{'✓' if line.right else '✗'} {label} → {read} {line.confidence:.3f}",
        color=RIGHT if line.right else WRONG,
        fontfamily=FONT,
        fontsize=TITLE_SIZE,
        fontweight="normal" if line.right else "bold",
        parse_math=False,
    )


def _draw_outline(axes: Axes, frame: Bbox, right: bool, line_width: float, dashes: str = "-") -> None:
    axes.add_patch(
        Rectangle(
            (frame.x0, frame.y0),
            frame.width,
            frame.height,
            fill=False,
            edgecolor=RIGHT if right else WRONG,
            linewidth=line_width,
            linestyle=dashes,
            zorder=2 if right else 3,  # errors must not be hidden by a neighbour
        )
    )


def _draw_characters(axes: Axes, tile: Tile, picture: Bbox, frame: Bbox) -> None:
    """Draw the boxes and, below the text, each character and its confidence, evenly spaced."""
    characters, count = tile.line.characters, len(tile.line.characters)
    read = [character.character for character in characters]
    right = [wanted == got for wanted, got in aligned(tile.line.label, "".join(read)) if got]
    scale = picture.width / tile.width
    ends = [picture.width * index / count for index in range(count + 1)]
    spans = [(scale * one.box.left, scale * one.box.right) if one.box else None for one in characters]
    places = [span or even for span, even in zip(spans, itertools.pairwise(ends), strict=True)]
    needed = EM * SMALL_SIZE / 72 * max(len("0.93 "), *(len(printable(character)) + 1 for character in read))
    upright = needed * count <= frame.width
    width = min(max(places[-1][1] - places[0][0], (needed if upright else MIN_SLOT_WIDTH) * count), frame.width)
    left = picture.x0 + (places[0][0] + places[-1][1] - width) / 2
    left, slot = min(max(left, frame.x0), frame.x1 - width), width / count
    for index, (character, good, span) in enumerate(zip(characters, right, spans, strict=True)):
        start, end = (picture.x0 + x for x in places[index])
        if span is not None:
            box = Bbox.from_extents(start, picture.y0, end, picture.y1)
            _draw_outline(axes, box, good, 0.8 if good else 1.8, "-" if good else "--")
        place = left + slot * (index + 0.5)
        axes.plot(((start + end) / 2, place), (picture.y1 + 0.01, picture.y1 + 0.06), color=FAINT, linewidth=0.5)
        _draw_letter(axes, character, good, (place, picture.y1 + 0.14), min(1.0, slot / MIN_SLOT_WIDTH), upright)


def _draw_letter(
    axes: Axes, character: Character, right: bool, place: tuple[float, float], scale: float, upright: bool
) -> None:
    """Draw a character and its confidence below, rotated if there is too little space."""
    name = printable(character.character)
    axes.text(
        *place,
        name,
        color=RIGHT if right else WRONG,
        fontfamily=FONT,
        fontsize=scale * (LETTER_SIZE if len(name) == 1 else SMALL_SIZE),
        fontweight="normal" if right else "bold",
        rotation=0 if upright or len(name) == 1 else 90,
        ha="center",
        va="center",
        parse_math=False,
    )
    axes.text(
        place[0],
        place[1] + 0.09,
        f"{character.confidence:.2f}",
        color="black",
        fontfamily=FONT,
        fontsize=scale * SMALL_SIZE,
        rotation=0 if upright else 90,
        ha="center",
        va="top",
    )
