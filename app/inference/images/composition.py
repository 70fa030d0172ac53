"""Combination of the frames of an animation into one image that shows the whole text, which no single frame may do.

No model of text is used. The background is the median grey of all frames, and ink is what differs from it. The result
is one of three images:

- the median of each pixel over the frames, if noise moves in front of a static text;
- the frame with the most ink, if the text itself moves;
- the darkest value of each pixel (the lightest, for light ink), if frames hide parts of the text; the second or third
  darkest, if there is also noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.images.pixels import Pixels

MAX_VALLEY = 0.5
"""Maximum size of the valley of the histogram in `_min_frames_with_ink`, as a fraction of either side."""
SUBSTANTIAL = 0.6
"""Minimum fraction of a frame's ink that is static, for the rest to be noise."""
STEADY = 0.95
"""Minimum fraction of the static ink that a frame shows on average, if nothing hides it."""
CELL, UNLIKE = 4, 3
"""Side of the cells in which frames are compared, and maximum number of a cell's pixels that noise changes."""
SHARED, ALIKE = 0.5, 0.4
"""For a moving text: minimum fraction of a frame's inked cells that also have ink in another frame, and maximum
fraction of those that are equal."""

Frames = NDArray[np.uint8]
"""Grey (frames, height, width) or BGR (frames, height, width, 3)."""
Mask = NDArray[np.bool_]


def compose(frames: Frames) -> Pixels:
    """Combine the frames of an animation into one image, deterministically.

    Returns:
        (height, width), or (height, width, 3) for colour frames.
    """
    ink, is_dark = _find_ink(_grey(frames))
    if _is_steady(ink):
        return _ranked(frames, len(frames) // 2)
    fullest = int(ink.sum(axis=(1, 2)).argmax())
    if _moves(ink, fullest):
        return frames[fullest]
    rank = _min_frames_with_ink(ink) - 1
    return _ranked(frames, rank if is_dark else len(frames) - 1 - rank)


def _grey(frames: Frames) -> NDArray[np.uint8]:
    if frames.ndim == 3:
        return frames
    count, height, width, _ = frames.shape
    return cv2.cvtColor(frames.reshape(count * height, width, 3), cv2.COLOR_BGR2GRAY).reshape(count, height, width)


def _find_ink(grey: NDArray[np.uint8]) -> tuple[Mask, bool]:
    """Return the ink mask of each frame (frames, height, width), and whether ink is darker than the background."""
    ground = _middle(grey)
    darkest, lightest = grey.min(axis=0), grey.max(axis=0)
    # The strongest hundredth, since an object slightly lighter than the background may hide a frame.
    depth, height = ground - np.percentile(darkest, 1), np.percentile(lightest, 99) - ground
    if depth >= height:
        return grey < ground - depth / 2, True
    return grey > ground + height / 2, False


def _middle(grey: NDArray[np.uint8]) -> int:
    """Return the median of all values."""
    return int(np.searchsorted(np.cumsum(np.bincount(grey.reshape(-1), minlength=256)), grey.size / 2))


def _is_steady(ink: Mask) -> bool:
    """Return whether the ink in most frames is the text, and the rest is transient noise."""
    stays = ink.mean(axis=0) > 0.5
    staying = stays.sum()
    if not staying:
        return False
    shown = (ink & stays).sum() / (staying * len(ink))
    covers_all = ink.any(axis=0).mean() > 0.5
    return bool(shown >= STEADY and (covers_all or staying >= SUBSTANTIAL * ink.sum() / len(ink)))


def _moves(ink: Mask, fullest: int) -> bool:
    """Return whether the other frames have ink in the cells of the fullest one, but mostly in other shapes."""
    cells = _cells(ink)
    others = np.delete(cells, fullest, axis=0)
    inked = others.any(axis=-1)
    both = inked & cells[fullest].any(axis=-1)
    alike = ((others != cells[fullest]).sum(axis=-1) <= UNLIKE) & both
    return bool(both.sum() > SHARED * inked.sum() and alike.sum() < ALIKE * both.sum())


def _cells(ink: Mask) -> Mask:
    """Divide masks (frames, height, width) into cells: (frames, cells, pixels per cell)."""
    count, height, width = ink.shape
    padded = np.pad(ink, ((0, 0), (0, -height % CELL), (0, -width % CELL)))
    rows, columns = padded.shape[1] // CELL, padded.shape[2] // CELL
    cells = padded.reshape(count, rows, CELL, columns, CELL).swapaxes(2, 3)
    return cells.reshape(count, rows * columns, CELL * CELL)


def _min_frames_with_ink(ink: Mask) -> int:
    """Return the number of frames in which a pixel must have ink not to be noise: one, unless there is much noise.

    Noise changes from frame to frame, and text is hidden in some frames. With much noise, many pixels have ink in one
    frame only, few in two or three, and many again in more.
    """
    times = np.bincount(ink.sum(axis=0).reshape(-1), minlength=4)
    fewest = 2 + int(times[2 : max(3, len(ink) // 2 + 1)].argmin())
    is_valley = times[fewest] < MAX_VALLEY * min(times[1], times[fewest + 1 :].sum())
    return fewest if is_valley else 1


def _ranked(frames: Frames, rank: int) -> Pixels:
    """Return the value of each pixel with this rank over the frames, from the darkest."""
    return np.partition(frames, rank, axis=0)[rank]
