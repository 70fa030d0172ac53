"""Labels that are values of sums, such as 8 for a picture of `10-2=`, and the texts behind them.

A network learns texts, but many texts have the same value. A reader that confuses some signs can still find the right
text: few of its likely texts have the given value.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.inference.decoding.beam import BEAM_WIDTH
from app.inference.decoding.sums import SIGNS, value_of
from app.inference.images import ImageError
from app.inference.models.reading import Reading
from app.inference.reader import Reader
from training.data.dataset import DataError, Sample

BATCH = 256
"""Number of pictures whose likely texts are in memory at a time."""


def with_values(samples: Sequence[Sample]) -> list[Sample]:
    """Return samples with values as labels; the labels may be sums or values.

    Raises:
        DataError: a label is neither a sum nor a whole number.
    """
    return [replace(sample, label=str(_value(sample))) for sample in samples]


def with_texts(samples: Sequence[Sample], model: Path) -> list[Sample]:
    """Return samples with sums as labels; the labels may be sums or values.

    A picture labelled with a value gets the most probable text with that value; without one, it is dropped. Signs of
    the same meaning are unified to the most frequent one, so that the network need not distinguish `x` from `×`.

    Raises:
        DataError: a label is neither a sum nor a whole number.
        ModelError: the folder holds no usable model.
    """
    values = list(map(_value, samples))
    reader = Reader(model, alternatives=BEAM_WIDTH)
    found: list[Sample] = []
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        readings = reader.read_many(sample.path for sample in batch)
        for sample, reading, value in zip(batch, readings, values[start:], strict=False):
            text = _text(sample.label, reading, value)
            found += [] if text is None else [replace(sample, label=text)]
    spelling = _spelling([sample.label for sample in found])
    return [replace(sample, label=sample.label.translate(spelling)) for sample in found]


def _text(label: str, reading: Reading | ImageError, value: int) -> str | None:
    """Return the label itself if it is a sum, otherwise the most probable text with its value."""
    if value_of(label) is not None:
        return label
    possible = () if isinstance(reading, ImageError) else reading.alternatives
    return next((other.text for other in possible if value_of(other.text) == value), None)


def _value(sample: Sample) -> int:
    for text in (sample.label, f"{sample.label}+0"):  # a number alone is not a sum
        value = value_of(text)
        if value is not None:
            return value
    raise DataError(f"{sample.path} has the label {sample.label!r}, which is neither a whole number nor a sum.")


def _spelling(texts: Sequence[str]) -> dict[int, str]:
    """Return a `str.translate` table from each variant of a sign to the most frequent one in the texts."""
    counts = Counter("".join(texts))
    table: dict[int, str] = {}
    for characters in SIGNS.values():
        table |= dict.fromkeys(map(ord, characters), max(characters, key=counts.__getitem__))
    return table
