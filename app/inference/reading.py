"""The way of an upload: bytes → checked pixels → network → text, one bad image not hurting the others."""

from collections.abc import Iterator, Sequence

from app.inference.beam import Search
from app.inference.images import ImageError, ImageLimits, Pixels, decode_image
from app.inference.model import ImageToTextModel, Reading
from app.inference.stopwatch import Stopwatch


def read_uploads(
    model: ImageToTextModel,
    uploads: Sequence[bytes],
    limits: ImageLimits,
    search: Search | None = None,
    watch: Stopwatch | None = None,
) -> list[Reading | ImageError]:
    """Read image files.

    Args:
        model: reads them.
        uploads: the files' bytes.
        limits: what is accepted.
        search: what texts are searched for; without it, decoding is greedy.
        watch: notes how long the stages take.

    Returns:
        For each file, in order, its reading, or the error that says why it cannot be read.
    """
    errors: dict[int, ImageError] = {}

    def decoded() -> Iterator[Pixels]:
        for index, upload in enumerate(uploads):
            try:
                yield decode_image(upload, limits)
            except ImageError as error:
                errors[index] = error

    readings = iter(model.predict(decoded(), search, watch))
    return [errors.get(index) or next(readings) for index in range(len(uploads))]
