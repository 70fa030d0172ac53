"""`Reader`, the public API of `app.inference`: reads images; a bad one does not affect the others."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.inference.arrays import pixels_from_array
from app.inference.decoding.beam import Search
from app.inference.decoding.constraints import make_constraint
from app.inference.decoding.ctc import CONFIDENCE_DIGITS, Decoded
from app.inference.decoding.sums import Evaluation
from app.inference.images import ImageError, Pixels, decode_image, load_image
from app.inference.models.configs import CONFIGS_FILE
from app.inference.models.folders import version_folders
from app.inference.models.model import ImageToTextModel
from app.inference.models.reading import Reading

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
Picture: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[Any] | Image"
"""Path of an image file, its content, an array for `pixels_from_array`, or a Pillow image."""
Decoder = Callable[[], Pixels]
"""Returns the pixels of an image, or raises an `ImageError`."""


class Reader:
    """Reader of text in images.

        reader = Reader("model_store/captcha")
        reader.read("picture.png").text

    A reader is thread-safe, works after a fork, and can be pickled.

    Attributes:
        model: the network.
        search: options of the search; None decodes greedily.

    Raises:
        ModelError: if the folder contains no usable model.
        ConstraintError: if no text satisfies the options, or the pattern is invalid.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        length: int | None = None,
        charset: str | None = None,
        pattern: str | None = None,
        alternatives: int = 0,
        evaluate: Evaluation | None = None,
    ) -> None:
        """Load a model.

        Args:
            folder: of a version of a model, or of a model, for its newest version.
            length: number of characters of each text.
            charset: the only characters allowed in a text.
            pattern: regular expression for a whole text.
            alternatives: number of most probable texts to list.
            evaluate: "sum" to compute the value of the sum in an image, `Reading.sum`.
        """
        self._folder = _version_folder(Path(folder))
        self.model = ImageToTextModel(self._folder)
        self.search = make_search(
            self.model,
            length=length,
            charset=charset,
            pattern=pattern,
            alternatives=alternatives,
            evaluate=evaluate,
        )

    def __getstate__(self) -> tuple[Path, Search | None]:
        return self._folder, self.search  # ONNX Runtime sessions cannot be pickled: the model is loaded again

    def __setstate__(self, state: tuple[Path, Search | None]) -> None:
        self._folder, self.search = state
        self.model = ImageToTextModel(self._folder)

    def read(self, picture: Picture) -> Reading:
        """Read an image.

        Raises:
            ImageError: if it cannot be read; the message says why.
        """
        (result,) = self.read_many([picture])
        if isinstance(result, ImageError):
            raise result
        return result

    def read_many(self, pictures: Iterable[Picture]) -> list[Reading | ImageError]:
        """Read images, opened one by one.

        Returns:
            For each image, in order, its reading, or an error that says why it cannot be read.
        """
        read = partial(self.model.predict, search=self.search)
        return read_each(read, (partial(decode_picture, picture) for picture in pictures))


def read_each(read: Callable[[Iterable[Pixels]], Sequence[T]], decoders: Iterable[Decoder]) -> list[T | ImageError]:
    """Read images; a bad one does not affect the others.

    Args:
        read: reads decoded images, like `ImageToTextModel.predict`.
        decoders: one for each image; taken and called one by one.

    Returns:
        For each image, in order, its reading, or an error that says why it cannot be read.
    """
    errors: list[ImageError | None] = []

    def decoded() -> Iterator[Pixels]:
        for decode in decoders:
            try:
                pixels = decode()
            except ImageError as error:
                errors.append(error.alone())
            else:
                errors.append(None)
                yield pixels

    readings = iter(read(decoded()))
    return [error or next(readings) for error in errors]


def make_search(
    model: ImageToTextModel,
    *,
    length: int | None = None,
    charset: str | None = None,
    pattern: str | None = None,
    alternatives: int = 0,
    evaluate: Evaluation | None = None,
) -> Search | None:
    """Return a search with these options (see `Reader`); None if greedy decoding suffices.

    Raises:
        ConstraintError: if no text satisfies all of them, or the pattern is invalid.
    """
    if not alternatives and all(option is None for option in (length, charset, pattern, evaluate)):
        return None
    constraint = make_constraint(
        model.codec,
        model.steps,
        length=length,
        charset=charset,
        pattern=pattern,
        visual_order=model.configs.direction is not None,
    )
    return Search(constraint, alternatives, evaluate)


def _version_folder(folder: Path) -> Path:
    if folder.is_dir() and not (folder / CONFIGS_FILE).exists():
        return next(iter(version_folders(folder)), folder)
    return folder


def decode_picture(picture: Picture) -> Pixels:
    """Return the pixels of an image.

    Raises:
        ImageError: if it cannot be read.
    """
    if isinstance(picture, bytes):
        return decode_image(picture)
    if isinstance(picture, str | os.PathLike):
        return decode_image(load_image(picture))
    if isinstance(picture, np.ndarray):
        return pixels_from_array(picture)
    return _decode_pillow(picture)


def _decode_pillow(image: "Image") -> Pixels:
    from PIL import Image, ImageOps  # the caller of a Pillow image has already imported it

    if not isinstance(image, Image.Image):
        raise TypeError(
            f"A picture must be a path, bytes, a NumPy array or a Pillow image, not {type(image).__name__}."
        )
    if image.mode in {"I", "F"}:  # with an unknown range of values
        return pixels_from_array(np.asarray(image))
    if image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}:
        image = image.convert("RGB")
    content = io.BytesIO()
    ImageOps.exif_transpose(image).save(content, "PNG", compress_level=1)
    return decode_image(content.getvalue())


def is_accepted(reading: Reading | Decoded, min_confidence: float) -> bool:
    """Return whether a text, or the value of a requested sum, exists and reaches the confidence threshold."""
    confidence = reading.confidence if reading.sum is None else reading.sum.confidence
    is_there = bool(reading.text) if reading.sum is None else reading.sum.value is not None
    return is_there and round(confidence, CONFIDENCE_DIGITS) >= min_confidence
