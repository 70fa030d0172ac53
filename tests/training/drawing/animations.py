"""Animated GIFs of drawn captchas: no frame shows the whole text, or the frames show it differently."""

import io
from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.drawing.draw import draw_captcha

Frame = NDArray[np.uint8]
"""Grey (height, width)."""
FRAMES = 6


def gif_of(frames: Sequence[Frame], **options: object) -> bytes:
    """Return an animated GIF; Pillow stores only the rectangle of each frame that differs from the previous one."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=100, loop=0, **options)
    return file.getvalue()


def hidden_by(grey: int) -> Callable[[Frame, np.random.Generator], list[Frame]]:
    """Return a function that hides a third of the width of each frame behind a bar of this grey."""

    def animate(picture: Frame, rng: np.random.Generator) -> list[Frame]:
        width = picture.shape[1]
        frames = []
        for number in range(FRAMES):
            frame, start = picture.copy(), number * width // FRAMES - width // 6 + int(rng.integers(8))
            frame[:, max(0, start) : start + width // 3] = grey
            frames.append(frame)
        return frames

    return animate


def shown_in_pieces(picture: Frame, _: np.random.Generator) -> list[Frame]:
    """Show a sixth of the width in each frame, the rest white."""
    edges = np.linspace(0, picture.shape[1], FRAMES + 1).astype(int)
    frames = []
    for start, end in pairwise(edges):
        frame = np.full_like(picture, 255)
        frame[:, start:end] = picture[:, start:end]
        frames.append(frame)
    return frames


def typed(picture: Frame, _: np.random.Generator) -> list[Frame]:
    """Show more of the width in each frame, then remove it again."""
    widths = np.linspace(0, picture.shape[1], FRAMES).astype(int)
    return [np.where(np.arange(picture.shape[1]) < width, picture, 255).astype(np.uint8) for width in (*widths, 0)]


def in_blinds(picture: Frame, _: np.random.Generator) -> list[Frame]:
    """Hide alternating stripes of ten columns."""
    columns = np.arange(picture.shape[1]) // 10
    return [np.where(columns % 2 == number % 2, picture, 255).astype(np.uint8) for number in range(2)]


def through_a_window(picture: Frame, rng: np.random.Generator) -> list[Frame]:
    """Show a third of the width in each frame, the rest black."""
    return [np.where(bar == 0, picture, 0).astype(np.uint8) for bar in hidden_by(0)(np.full_like(picture, 1), rng)]


def among_noise(picture: Frame, rng: np.random.Generator) -> list[Frame]:
    """Draw different black lines and dots over each frame."""
    frames = []
    for _ in range(FRAMES):
        frame = picture.copy()
        height, width = frame.shape
        for _line in range(4):
            ends = rng.integers(0, (width, height), (2, 2)).tolist()
            cv2.line(frame, ends[0], ends[1], 0, 2)
        frame[rng.random(frame.shape) < 0.03] = 0
        frames.append(frame)
    return frames


def behind_a_bar_and_noise(picture: Frame, rng: np.random.Generator) -> list[Frame]:
    """Hide a third of the width in each frame, and draw lines and dots over it."""
    return [among_noise(frame, rng)[0] for frame in hidden_by(255)(picture, rng)]


def moving(picture: Frame, rng: np.random.Generator) -> list[Frame]:
    """Shift the whole text by some pixels in each frame."""
    frames = []
    for _ in range(FRAMES):
        across, down = rng.integers(-12, 13), rng.integers(-3, 4)
        frames.append(np.roll(picture, (across, down), axis=(1, 0)))
    return frames


HIDING: dict[str, Callable[[Frame, np.random.Generator], list[Frame]]] = {
    "a white bar": hidden_by(255),
    "a grey bar": hidden_by(200),
    "pieces": shown_in_pieces,
    "typed": typed,
    "blinds": in_blinds,
    "a window": through_a_window,
}
OTHERWISE = {
    "a black bar": hidden_by(0),
    "noise": among_noise,
    "moving": moving,
}


def animated(text: str, seed: int, animate: Callable[[Frame, np.random.Generator], list[Frame]]) -> bytes:
    """Return an animated GIF of a captcha."""
    return gif_of(animate(draw_captcha(text, seed), np.random.default_rng(seed)))
