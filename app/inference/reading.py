"""The way of an upload: bytes → checked pixels → network → text, one bad image not hurting the others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from app.inference.decoding.beam import Search
from app.inference.images import ImageError, ImageLimits, Pixels, decode_image
from app.inference.models.model import ImageToTextModel, Reading
from app.shared.stopwatch import Stopwatch


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
    return read_each(model, [partial(decode_image, upload, limits) for upload in uploads], search, watch)


def read_each(
    model: ImageToTextModel,
    decoders: Iterable[Callable[[], Pixels]],
    search: Search | None = None,
    watch: Stopwatch | None = None,
) -> list[Reading | ImageError]:
    """Read images that are yet to be decoded, of which any may be bad.

    Args:
        model: reads them.
        decoders: each gives an image's pixels or raises an `ImageError`; asked for and called one by one.
        search: what texts are searched for; without it, decoding is greedy.
        watch: notes how long the stages take.

    Returns:
        For each image, in order, its reading, or the error that says why it cannot be read.
    """
    errors: list[ImageError | None] = []

    def decoded() -> Iterator[Pixels]:
        for decode in decoders:
            try:
                pixels = decode()
            except ImageError as error:
                errors.append(error)
            else:
                errors.append(None)
                yield pixels

    readings = iter(model.predict(decoded(), search, watch))
    return [error or next(readings) for error in errors]
