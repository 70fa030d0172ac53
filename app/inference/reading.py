"""The way of an upload: bytes → checked pixels → network → text, one bad image not hurting the others."""

from collections.abc import Sequence

from app.inference.images import ImageError, ImageLimits, Pixels, decode_image
from app.inference.model import ImageToTextModel, Reading


def read_uploads(model: ImageToTextModel, uploads: Sequence[bytes], limits: ImageLimits) -> list[Reading | ImageError]:
    """Read image files in one run of the network.

    Args:
        model: reads them.
        uploads: the files' bytes.
        limits: what is accepted.

    Returns:
        For each file, in order, its reading, or the error that says why it cannot be read.
    """
    decoded = [_decode(upload, limits) for upload in uploads]
    readings = iter(model.predict([image for image in decoded if not isinstance(image, ImageError)]))
    return [image if isinstance(image, ImageError) else next(readings) for image in decoded]


def _decode(upload: bytes, limits: ImageLimits) -> Pixels | ImageError:
    try:
        return decode_image(upload, limits)
    except ImageError as error:
        return error
