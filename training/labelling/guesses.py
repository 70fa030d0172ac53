"""A model's readings of unlabelled images, computed in the background."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.inference.decoding.automaton import ConstraintError
from app.inference.decoding.beam import Search
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel
from app.inference.models.reading import Reading
from app.inference.reader import Reader, make_search, read_each
from training.labelling.images import ImageFolder


@dataclass(frozen=True, slots=True)
class GuessedCharacter:
    """A character of a guess."""

    character: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Guess:
    """A model's reading of an image."""

    text: str
    confidence: float
    characters: tuple[GuessedCharacter, ...]
    model: str


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected form of the labels, as entered on the page or the command line."""

    length: int | None = None
    """Number of characters in each label."""
    charset: str = ""
    """The allowed characters; empty allows any."""


class Guesses:
    """Readings of the images without a label, by the newest model.

    A thread reads a few images at a time and keeps only texts. Guesses of the previous model, or for the previous
    length and charset, remain until they are replaced.

    Attributes:
        model: the name and version of the model; None if there is none.
        expected: constraints on the texts.
    """

    def __init__(self, images: ImageFolder, waiting: Callable[[], Sequence[int]]) -> None:
        """Prepare to read the images that `waiting` returns when a model is set."""
        self._images, self._waiting = images, waiting
        self._guesses: dict[int, Guess] = {}
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reader: Reader | None = None
        self.model: str | None = None
        self.expected = Expected()

    @property
    def all(self) -> Mapping[int, Guess]:
        """All guesses so far, by image number."""
        return self._guesses

    @property
    def is_reading(self) -> bool:
        """Whether more guesses will follow."""
        return self._thread is not None and self._thread.is_alive()

    def read_with(self, folder: Path, name: str | None = None) -> None:
        """Read all waiting images with another model, in the background; `name` is the model's displayed name.

        Raises:
            ModelError: the model cannot be used; the previous one stays.
        """
        reader = Reader(folder)
        folder = folder.resolve()
        with self._changing:
            self._reader, self.model = reader, name or f"{folder.parent.name}/{folder.name}"
            self._begin(reader, self.model)

    def expect(self, expected: Expected) -> None:
        """Guess again in the background under these constraints; without them if the model cannot satisfy them."""
        with self._changing:
            if expected == self.expected:
                return
            self.expected = expected
            if self._reader is not None and self.model is not None:
                self._begin(self._reader, self.model)

    def wait(self, seconds: float) -> None:
        """Wait until all guesses are there, but no longer than this."""
        if self._thread is not None:
            self._thread.join(seconds)

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self, reader: Reader, name: str) -> None:
        self.close()
        reader.search = _search(reader.model, self.expected)
        self._stop = threading.Event()
        arguments = (reader, name, self._waiting(), self._stop)
        self._thread = threading.Thread(target=self._read, args=arguments, name="guesses", daemon=True)
        self._thread.start()

    def _read(self, reader: Reader, name: str, numbers: Sequence[int], stop: threading.Event) -> None:
        for start in range(0, len(numbers), BATCH_IMAGES):
            if stop.is_set():
                return
            chunk = numbers[start : start + BATCH_IMAGES]
            read = partial(reader.model.predict, search=reader.search)
            readings = read_each(read, [partial(self._images.pixels, number) for number in chunk])
            for number, reading in zip(chunk, readings, strict=True):
                if isinstance(reading, Reading):  # the page reports an error when it shows the image
                    # A single assignment, so that other threads see either the old guess or the new one.
                    self._guesses[number] = _guess(reading, name)


def _search(model: ImageToTextModel, expected: Expected) -> Search | None:
    try:
        return make_search(model, length=expected.length, charset=expected.charset or None)
    except ConstraintError:
        return None


def _guess(reading: Reading, model: str) -> Guess:
    characters = tuple(GuessedCharacter(one.character, one.confidence) for one in reading.characters)
    return Guess(reading.text, reading.confidence, characters, model)
