"""What the table knows of a format."""

from collections.abc import Callable
from dataclasses import dataclass

from app.inference.images.checked import CheckedImage
from app.inference.images.limits import ImageLimits


@dataclass(frozen=True)
class Format:
    """A format that is read.

    Attributes:
        name: as people write it.
        suffixes: that its files' names end in, in small letters, the usual one first. The content decides, not these:
            they say which files of a folder are taken for images.
        media_type: of IANA's registry.
        kinds: what of it is read, for the table in the documentation.
        recognises: whether a file's content begins as one of this format does.
        inspect: checks such a file's header and structure within limits, without decoding pixels; raises an
            `ImageError`. `check_image` compares the size with the limits afterwards.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    kinds: str
    recognises: Callable[[bytes], bool]
    inspect: Callable[[bytes, ImageLimits], CheckedImage]
