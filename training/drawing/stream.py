"""Batches of drawn pictures of one size, produced by worker processes."""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec
from app.inference.images import fit_to_input
from app.shared.processes import end_with_parent, interrupts_blocked
from training.drawing.scenes import draw_scene
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import Typeface, by_family

CHUNK = 512
"""Number of pictures drawn at a time, sorted by aspect ratio and split into batches."""
EASY_IMAGES = 120_000
"""Number of initial pictures of rising difficulty; starting easy makes CTC converge early."""
WIDTH_STEP = 16
NARROWEST, WIDEST = 48, 480
COLUMNS_A_STEP = 4
CODEC = CtcCodec(ALPHABET)


class Drawn(NamedTuple):
    """Pictures of one size, uint8 (pictures, height, width, 3), and their texts."""

    images: NDArray[np.uint8]
    labels: list[str]


class DrawingPool:
    """Processes that draw chunks of pictures."""

    def __init__(self, pool: ProcessPoolExecutor, height: int, size: int, seed: int) -> None:
        self._pool, self._height, self._size, self._seed = pool, height, size, seed

    def draw(self, chunks: range) -> Iterator[Drawn]:
        """Yield the batches of some chunks, drawing slightly ahead."""
        ahead: deque[Future[list[Drawn]]] = deque()
        for number in chunks:
            with interrupts_blocked():
                ahead.append(self._pool.submit(_draw_chunk, [self._seed, number], self._height, self._size))
            if len(ahead) > 3:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


@contextmanager
def drawing_pool(
    typefaces: Sequence[Typeface], *, height: int, size: int, seed: int, processes: int
) -> Iterator[DrawingPool]:
    """Start processes that draw batches of `size`, a divisor of `CHUNK`; stop them at the end of the block.

    The pictures depend on the seed but not on the number of processes.
    """
    # Do not fork: locks held by TensorFlow's threads would never be released.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_start, initargs=(typefaces,)) as pool:
        try:
            yield DrawingPool(pool, height, size, seed)
        finally:
            pool.shutdown(cancel_futures=True)


_families: list[list[Typeface]] = []


def _start(typefaces: Sequence[Typeface]) -> None:
    end_with_parent()
    cv2.setNumThreads(1)
    _families[:] = by_family(typefaces)


def _draw_chunk(seed: Sequence[int], height: int, size: int) -> list[Drawn]:
    rng = np.random.default_rng(seed)
    difficulty = min(1.0, seed[1] * CHUNK / EASY_IMAGES)
    pictures = [draw_scene(_families, rng, difficulty=difficulty) for _ in range(CHUNK)]
    pictures.sort(key=lambda drawn: drawn[0].shape[1] / drawn[0].shape[0])
    batches = [_batch(pictures[at : at + size], height) for at in range(0, CHUNK, size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def _batch(pictures: Sequence[tuple[NDArray[np.uint8], str]], height: int) -> Drawn:
    """Resize pictures of similar aspect ratio to one size and stack them."""
    widths = [image.shape[1] * height / image.shape[0] for image, _ in pictures]
    needed = COLUMNS_A_STEP * (1 + max(CODEC.steps_needed(label) for _, label in pictures))  # one step to spare
    width = WIDTH_STEP * round(min(max(float(np.mean(widths)), needed, NARROWEST), WIDEST) / WIDTH_STEP)
    images = [fit_to_input(image, width=width, height=height, channels=3) for image, _ in pictures]
    return Drawn(np.stack(images), [label for _, label in pictures])
