"""How much a worker does at a time, by the processors and the memory that it has."""

from typing import NamedTuple

from app.observability.logs import get_logger
from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.memory import share_of_memory

PIXEL_BYTES = 24
"""That decoding takes for each pixel, at most: of a PNG with opacity and 16 bits a channel 20, and the image before it
is still there."""
LEAST_PIXELS = 100_000
"""That an image may have, however little memory there is."""
MEGABYTE = 1 << 20

log = get_logger("app")


class Capacity(NamedTuple):
    """What a worker can do at a time."""

    threads: int
    """That read large images."""
    max_pixels: int
    """Of an image; less than the settings say where the memory does not suffice for that."""


def capacity_of(settings: Settings) -> Capacity:
    """Return what this worker can do, with its models loaded; warn where the largest images are too large."""
    memory = share_of_memory(settings.workers)
    for_pixels = memory // 2  # the rest is for uploads and answers
    fitting = min(available_cpus() // settings.workers, for_pixels // (PIXEL_BYTES * settings.max_pixels))
    threads = settings.threads or max(1, fitting)
    max_pixels = min(settings.max_pixels, max(LEAST_PIXELS, for_pixels // threads // PIXEL_BYTES))
    if max_pixels < settings.max_pixels:
        log.warning(
            "little memory: larger images are refused; more memory, fewer OCR_WORKERS or OCR_THREADS mend that",
            max_pixels=max_pixels,
            available_megabytes=memory // MEGABYTE,
        )
    return Capacity(threads, max_pixels)
