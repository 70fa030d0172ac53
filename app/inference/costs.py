"""Cost of reading, estimated in advance from the sizes of images and network."""

from collections.abc import Sequence

from app.inference.images import CheckedImage, ImageLimits
from app.inference.images.exif import TRANSPOSED
from app.inference.models.model import BATCH_IMAGES, QUICK_SECONDS, ImageToTextModel

MAX_PICTURES = 4
"""Maximum pixels of all images of a request, with all frames and tiles, as a multiple of the limit per image: about a
second of decoding."""
MAX_SEARCH = 5000
"""Maximum weighted steps searched per request, about a second of CPU time; see `_search_cost`."""
MAX_GREEDY = 40_000_000
"""Maximum sum of the squared steps of all images of a request without a search: about a second of CPU time, since the
time to decode an unsure image grows with the square of its steps."""
SLOW_STEPS, SLOW_CLASSES = 500, 5000
"""Number of steps, and of classes, at which the cost of a searched step has doubled."""
QUICK_FILE_BYTES, QUICK_STEPS, QUICK_NUMBERS = 3_200_000, 400, 1_000_000
"""Each amounts to 5 ms of work on a CPU: bytes of the network's file, steps, and probabilities to decode."""


class TooCostlyError(ValueError):
    """A request exceeds the work limit; the message says how much is allowed."""


def check_cost(
    model: ImageToTextModel, images: Sequence[CheckedImage], limits: ImageLimits, *, is_searched: bool
) -> None:
    """Check the cost of reading all readable images of a request; a search costs many times as much as greedy decoding.

    Raises:
        TooCostlyError: if the cost exceeds the limits, which follow from those per image.
    """
    pixels, max_pixels = sum(image.decoded_pixels for image in images), MAX_PICTURES * limits.max_pixels
    if pixels > max_pixels and len(images) > 1:  # one image is limited by its format
        raise TooCostlyError(
            f"The images of the request have {pixels:,} pixels in total; the limit is {max_pixels:,}, "
            "with all frames and tiles. Send fewer."
        )
    if not is_searched:
        squares = sum(_steps(model, image) ** 2 for image in images) if model.steps > SLOW_STEPS else 0
        if squares > MAX_GREEDY:
            raise TooCostlyError(
                f"Reading {len(images)} images is too costly with this model; the limit is about "
                f"{len(images) * MAX_GREEDY // squares} such images per request. Send fewer."
            )
        return
    cost = sum(_search_cost(model, image) for image in images)
    if cost > MAX_SEARCH:
        raise TooCostlyError(
            f"A search over {len(images)} images is too costly with this model; the limit is about "
            f"{int(len(images) * MAX_SEARCH / cost)} such images per request. Send fewer, or omit alternatives, "
            "length, charset, pattern and evaluate."
        )


def images_in_event_loop(model: ImageToTextModel) -> int:
    """Return how many small images a model may read at a time without blocking the event loop too long; 0 if none.

    The number is estimated from sizes, so that it is the same at each start. The measured time, which other processes
    may increase, only excludes networks that take long although they are small.
    """
    if model.codec.prior is not None or model.seconds > QUICK_SECONDS:
        return 0
    numbers = model.steps * model.codec.classes
    return min(BATCH_IMAGES, QUICK_FILE_BYTES // model.file_bytes, QUICK_STEPS // model.steps, QUICK_NUMBERS // numbers)


def _search_cost(model: ImageToTextModel, image: CheckedImage) -> float:
    """Return the steps of an image, weighted by the time per step, which grows with steps and classes."""
    steps = _steps(model, image)
    return steps * (1 + steps / SLOW_STEPS + model.codec.classes / SLOW_CLASSES)


def _steps(model: ImageToTextModel, image: CheckedImage) -> int:
    width, height = (image.height, image.width) if image.orientation in TRANSPOSED else (image.width, image.height)
    return model.steps_of(image_width=width, image_height=height)
