"""One picture of the frames of an animation: that in which a text can be read which no single frame shows whole.

Nothing here knows what text looks like. The ground is the grey that most pixels of all frames have, and ink is what
differs from it. Three pictures come into question:

- the median of each pixel over the frames, where what moves is noise before a text that stays;
- a single frame, the one with the most ink, where the text itself moves;
- the darkest of each pixel, or the lightest if the ink is lighter than the ground, where frames hide parts; the second
  or third darkest, if there is noise besides.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.images.pixels import Pixels

FEW = 0.5
"""The part of the pixels with noise, and of those with text, that may not lie between them."""
SUBSTANTIAL = 0.6
"""The part of a frame's ink that must stay for the rest to be noise."""
STEADY = 0.95
"""The part of what stays that each frame shows, on average, where nothing hides it."""
CELL, UNLIKE = 4, 3
"""The side of the cells in which frames are compared, and how many of a cell's pixels noise may change."""
SHARED, ALIKE = 0.5, 0.4
"""Of a text that moves, the part of a frame's inked cells that have ink in another frame too, at least, and the part of
those that are alike, at most."""

Frames = NDArray[np.uint8]
"""Grey (frames, height, width) or blue, green, red (frames, height, width, 3)."""
Mask = NDArray[np.bool_]


def compose(frames: Frames) -> Pixels:
    """Return the picture that is read of an animation; the same frames always give the same.

    Returns:
        (height, width), or (height, width, 3) where the frames have colours.
    """
    ink, is_dark = _find_ink(_grey(frames))
    if _is_steady(ink):
        return _ranked(frames, len(frames) // 2)
    fullest = int(ink.sum(axis=(1, 2)).argmax())
    if _moves(ink, fullest):
        return frames[fullest]
    rank = _times_to_trust(ink) - 1
    return _ranked(frames, rank if is_dark else len(frames) - 1 - rank)


def _grey(frames: Frames) -> NDArray[np.uint8]:
    if frames.ndim == 3:
        return frames
    count, height, width, _ = frames.shape
    return cv2.cvtColor(frames.reshape(count * height, width, 3), cv2.COLOR_BGR2GRAY).reshape(count, height, width)


def _find_ink(grey: NDArray[np.uint8]) -> tuple[Mask, bool]:
    """Return where each frame (frames, height, width) has ink, and whether that is darker than the ground."""
    ground = _middle(grey)
    darkest, lightest = grey.min(axis=0), grey.max(axis=0)
    # Of the strongest hundredth, since a frame may be hidden by something a little lighter than the ground.
    depth, height = ground - np.percentile(darkest, 1), np.percentile(lightest, 99) - ground
    if depth >= height:
        return grey < ground - depth / 2, True
    return grey > ground + height / 2, False


def _middle(grey: NDArray[np.uint8]) -> int:
    """Return the median of all values."""
    return int(np.searchsorted(np.cumsum(np.bincount(grey.reshape(-1), minlength=256)), grey.size / 2))


def _is_steady(ink: Mask) -> bool:
    """Return whether the ink that most frames show is the text, and what else there is comes and goes."""
    stays = ink.mean(axis=0) > 0.5
    staying = stays.sum()
    if not staying:
        return False
    shown = (ink & stays).sum() / (staying * len(ink))
    covers_all = ink.any(axis=0).mean() > 0.5
    return bool(shown >= STEADY and (covers_all or staying >= SUBSTANTIAL * ink.sum() / len(ink)))


def _moves(ink: Mask, fullest: int) -> bool:
    """Return whether other frames have other shapes where the fullest has ink, and not the same shapes elsewhere."""
    cells = _cells(ink)
    others = np.delete(cells, fullest, axis=0)
    inked = others.any(axis=-1)
    both = inked & cells[fullest].any(axis=-1)
    alike = ((others != cells[fullest]).sum(axis=-1) <= UNLIKE) & both
    return bool(both.sum() > SHARED * inked.sum() and alike.sum() < ALIKE * both.sum())


def _cells(ink: Mask) -> Mask:
    """Divide masks (frames, height, width) into cells: (frames, cells, pixels of a cell)."""
    count, height, width = ink.shape
    padded = np.pad(ink, ((0, 0), (0, -height % CELL), (0, -width % CELL)))
    rows, columns = padded.shape[1] // CELL, padded.shape[2] // CELL
    cells = padded.reshape(count, rows, CELL, columns, CELL).swapaxes(2, 3)
    return cells.reshape(count, rows * columns, CELL * CELL)


def _times_to_trust(ink: Mask) -> int:
    """Return in how many frames a pixel must have ink for that not to be noise: in one, unless there is much noise.

    Noise changes from frame to frame, and a text is hidden in some of them. So of pixels that have ink in one frame
    there are then many, in two or three few, and in more of them many again.
    """
    times = np.bincount(ink.sum(axis=0).reshape(-1), minlength=4)
    fewest = 2 + int(times[2 : max(3, len(ink) // 2 + 1)].argmin())
    is_valley = times[fewest] < FEW * min(times[1], times[fewest + 1 :].sum())
    return fewest if is_valley else 1


def _ranked(frames: Frames, rank: int) -> Pixels:
    """Return of each pixel the value that has so many darker ones."""
    return np.partition(frames, rank, axis=0)[rank]
