"""Threads and image size of a worker, derived from its processors and memory."""

from app.observability.logs import get_logger
from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.memory import share_of_memory

PIXEL_BYTES = 24
"""Peak memory per pixel of decoding: 20 for a PNG with alpha and 16 bits a channel, plus the previous image, which is
still in memory."""
MIN_PIXELS = 100_000
"""Lower bound of the image size limit, however little memory there is."""
MEGABYTE = 1 << 20

log = get_logger("app")


def capacity_of(settings: Settings) -> tuple[int, int]:
    """Return the capacity of this worker once its models are loaded; warn if the memory limits the image size.

    Returns:
        The number of threads that read large images, and the maximum pixels of an image.
    """
    memory = share_of_memory(settings.workers)
    for_pixels = memory // 2  # the rest is for uploads and answers
    fitting = min(available_cpus() // settings.workers, for_pixels // (PIXEL_BYTES * settings.max_pixels))
    threads = settings.threads or max(1, fitting)
    max_pixels = min(settings.max_pixels, max(MIN_PIXELS, for_pixels // threads // PIXEL_BYTES))
    if max_pixels < settings.max_pixels:
        log.warning(
            "not enough memory for images of OCR_MAX_PIXELS: add memory, or reduce OCR_WORKERS or OCR_THREADS",
            max_pixels=max_pixels,
            available_megabytes=memory // MEGABYTE,
        )
    return threads, max_pixels
