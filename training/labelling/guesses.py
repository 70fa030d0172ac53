"""What a model reads in the images that wait, found out in the background."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.inference.decoding.automaton import ConstraintError
from app.inference.decoding.beam import Search
from app.inference.images import ImageError
from app.inference.models.model import BATCH_IMAGES, ImageToTextModel, Reading
from app.inference.reader import Reader, make_search
from training.labelling.images import ImageFolder


@dataclass(frozen=True, slots=True)
class GuessedCharacter:
    """A character of a guess."""

    character: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Guess:
    """What a model reads in an image."""

    text: str
    confidence: float
    characters: tuple[GuessedCharacter, ...]
    model: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What labels are like, as far as people have said."""

    length: int | None = None
    """How many characters each has."""
    charset: str = ""
    """The only characters that there are; any where it is empty."""


class Guesses:
    """The readings of the images that have no label yet, by the newest model.

    A thread reads a few images at a time and keeps only texts. While a better model reads anew, the guesses of the one
    before remain until theirs are replaced. So do those before another length or charset was expected.

    Attributes:
        model: the name and version of the model that reads; None while there is none.
        expected: what texts are searched for.
    """

    def __init__(self, images: ImageFolder, waiting: Callable[[], Sequence[int]]) -> None:
        """Prepare to read those images that wait for a label when a model begins."""
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
        """The guesses so far, by the images' numbers."""
        return self._guesses

    @property
    def is_reading(self) -> bool:
        """Whether more guesses will come."""
        return self._thread is not None and self._thread.is_alive()

    def read_with(self, folder: Path, name: str | None = None) -> None:
        """Read all images that wait with another model, in the background; people know it by the name, if one is given.

        Raises:
            ModelError: it cannot be used; the model of before goes on.
        """
        reader = Reader(folder)
        folder = folder.resolve()
        with self._changing:
            self._reader, self.model = reader, name or f"{folder.parent.name}/{folder.name}"
            self._begin(reader, self.model)

    def expect(self, expected: Expected) -> None:
        """Guess texts that are as expected, in the background; any text where the model knows none that is."""
        with self._changing:
            if expected == self.expected:
                return
            self.expected = expected
            if self._reader is not None and self.model is not None:
                self._begin(self._reader, self.model)

    def wait(self, seconds: float) -> None:
        """Wait until all guesses are there, but not longer than that."""
        if self._thread is not None:
            self._thread.join(seconds)

    def close(self) -> None:
        """End the reading."""
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
            uploads = dict(self._load(numbers[start : start + BATCH_IMAGES]))
            for number, reading in zip(uploads, reader.read_many(uploads.values()), strict=True):
                if isinstance(reading, Reading):
                    # Assigned at once, so that whoever reads meanwhile sees the guess or the one before it.
                    self._guesses[number] = _guess(reading, name)

    def _load(self, numbers: Sequence[int]) -> list[tuple[int, bytes]]:
        loaded = []
        for number in numbers:
            try:
                loaded.append((number, self._images.load(number)))
            except ImageError:
                continue  # who is shown the image is told
        return loaded


def _search(model: ImageToTextModel, expected: Expected) -> Search | None:
    try:
        return make_search(model, length=expected.length, charset=expected.charset or None)
    except ConstraintError:
        return None


def _guess(reading: Reading, model: str) -> Guess:
    characters = tuple(GuessedCharacter(one.character, one.confidence) for one in reading.characters)
    return Guess(reading.text, reading.confidence, characters, model)
