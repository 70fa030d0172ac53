"""Entry of the table of formats."""

from collections.abc import Callable
from dataclasses import dataclass

from app.inference.images.checked import CheckedImage
from app.inference.images.limits import ImageLimits


@dataclass(frozen=True)
class Format:
    """Supported format.

    Attributes:
        name: usual name.
        suffixes: of its file names, in lower case, the usual one first. They select image files in folders; the format
            of a file is detected from its content.
        media_type: from IANA's registry.
        kinds: supported variants, for the table in the documentation.
        recognises: returns whether a file's content starts like this format.
        inspect: checks a file's header and structure within limits, without decoding pixels; raises `ImageError`.
            `check_image` compares the size with the limits afterwards.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    kinds: str
    recognises: Callable[[bytes], bool]
    inspect: Callable[[bytes, ImageLimits], CheckedImage]
