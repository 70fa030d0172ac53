"""How much a worker does at a time, by the processors and the memory that it has."""

from app.observability.logs import get_logger
from app.settings import Settings
from app.shared.cpus import available_cpus
from app.shared.memory import available_memory

PIXEL_BYTES = 20
"""That decoding takes for each pixel, at most: of a PNG with opacity and 16 bits a channel 18."""
MEGABYTE = 1 << 20

log = get_logger("app")


def threads_of(settings: Settings) -> int:
    """Return how many threads read large images; warn where the memory may not suffice for the largest ones."""
    memory, image = available_memory() // settings.workers, PIXEL_BYTES * settings.max_pixels
    fitting = min(available_cpus() // settings.workers, memory // 2 // image)  # the rest is for uploads and answers
    threads = settings.threads or max(1, fitting)
    if 2 * threads * image > memory:
        log.warning(
            "little memory for the largest images: fewer OCR_THREADS or OCR_MAX_PIXELS need less",
            needed_megabytes=2 * threads * image // MEGABYTE,
            available_megabytes=memory // MEGABYTE,
        )
    return threads
