"""What reading costs, by the sizes of images and network, known before any of it is done."""

from collections.abc import Sequence

from app.inference.images import CheckedImage, ImageLimits
from app.inference.images.exif import LYING
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel

MAX_PICTURES = 4
"""The pixels of all images of a request, as a multiple of the most of one: about a second of decoding."""
MAX_SEARCH = 5000
"""The steps that are searched for a request, about a second of a processor; see `_search_cost`."""
SLOW_STEPS, SLOW_CLASSES = 500, 5000
"""With so many steps, or so many classes, each step costs a search twice as much."""
QUICK_FILE_BYTES, QUICK_STEPS, QUICK_NUMBERS = 3_200_000, 400, 1_000_000
"""What a processor does in 5 ms: a network of such a file, and the texts of so many steps of so many probabilities."""


class TooCostlyError(ValueError):
    """A request asks for more work than one may; the message says how much less would be right."""


def check_cost(
    model: ImageToTextModel, images: Sequence[CheckedImage], limits: ImageLimits, *, is_searched: bool
) -> None:
    """Bound what a request costs.

    Args:
        model: reads the images.
        images: all of the request that can be read.
        limits: of each image.
        is_searched: whether their texts are searched for, which costs many times as much as greedy decoding.

    Raises:
        TooCostlyError: it would cost more.
    """
    pixels, most = sum(image.width * image.height for image in images), MAX_PICTURES * limits.max_pixels
    if pixels > most:
        raise TooCostlyError(
            f"The images of the request have {pixels:,} pixels together; at most {most:,} are read: send fewer of them."
        )
    cost = sum(_search_cost(model, image) for image in images) if is_searched else 0.0
    if cost > MAX_SEARCH:
        raise TooCostlyError(
            f"To search for the texts of {len(images)} images costs too much with this model; about "
            f"{int(len(images) * MAX_SEARCH / cost)} such images are searched for a request. Send fewer, or without "
            "alternatives, length, charset, pattern and evaluate."
        )


def images_in_event_loop(model: ImageToTextModel) -> int:
    """Return how many small images of a model may be read in one go by who should not be held up; 0 if not one."""
    if model.codec.prior is not None:
        return 0
    numbers = model.steps * model.codec.classes
    return min(BATCH_IMAGES, QUICK_FILE_BYTES // model.file_bytes, QUICK_STEPS // model.steps, QUICK_NUMBERS // numbers)


def _search_cost(model: ImageToTextModel, image: CheckedImage) -> float:
    """Return the steps of an image, weighted by how long a search takes for each: longer texts, more classes."""
    width, height = (image.height, image.width) if image.orientation in LYING else (image.width, image.height)
    steps = model.steps_of(image_width=width, image_height=height)
    return steps * (1 + steps / SLOW_STEPS + model.codec.classes / SLOW_CLASSES)
