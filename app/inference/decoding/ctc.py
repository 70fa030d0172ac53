"""Connectionist temporal classification (Graves et al., ICML 2006): from probabilities to text.

The one place that knows vocabulary, blank and decoding, for training and serving alike.
"""

import itertools
import math
import operator
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.forward import Columns, probabilities_of_labels, probability_of_label
from app.inference.decoding.prior import TextPrior
from app.inference.decoding.sums import Sum

CONFIDENCE_DIGITS = 6
"""Of confidences in answers and tables: further ones mean nothing."""
SMALLEST = 1e-200
"""Less is no probability: so small that no network means it, and so large that a product of it is not 0."""
NEGLIGIBLE = 5e-7
"""What is less likely does not change the sixth digit of a confidence."""
SURE = 1 - 1e-9
"""So near to 1 that to take all steps of a text that are for 1 changes less than what is negligible."""
MANY = 40
"""Python's numbers are quicker than NumPy's for so many characters at a step, or fewer."""
LOW_TEMPERATURE = 0.2
"""Below it, all powers of a step's probabilities may underflow, in 32 bits as networks put them out."""


Real = TypeVar("Real", bound=np.floating)


class LabelError(ValueError):
    """A label has a character that the vocabulary lacks."""


Run = tuple[int, int, int]
"""Steps in a row of the same class: the class, the first of them, and the one after the last."""


class Path(NamedTuple):
    """A class for each step of an image, of which only the steps are kept that are not surely blank: a quarter."""

    steps: list[int]
    blanks: list[float]
    """The probability of the blank at each of these steps."""
    shown: list[float]
    """The probability of the character that is near."""
    runs: list[Run]
    """The characters."""
    stops: list[int]
    """How many of the steps come before the end of each character's stretch, which is half-way to the next one's."""


class Span(NamedTuple):
    """One character of a decoded text and the run of output steps that it came from."""

    character: str
    confidence: float
    """The probability that the steps around it, half-way to its neighbours, read as this one character: the sum over
    all their alignments, 0…1."""
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the texts that an image may show."""

    text: str
    confidence: float
    """The probability of the whole text: the sum over all its alignments, 0…1."""

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"text": self.text, "confidence": round(self.confidence, CONFIDENCE_DIGITS)}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and how sure it is."""

    text: str
    confidence: float
    """The probability of the whole text: the sum over all its alignments, 0…1."""
    spans: tuple[Span, ...]
    alternatives: tuple[Alternative, ...] = ()
    """The most probable texts, best first, where a search was asked for them."""
    sum: Sum | None = None
    """The value of the sum that the image shows, where a search was asked for it."""


class CtcCodec:
    """Turns labels into class numbers and a network's probabilities into text.

    A network over a vocabulary of V characters has V + 1 outputs a step; one of them, `blank_index`, is
    the blank, and the others are the characters in the vocabulary's order. `mltu` puts the blank last.
    With a prior, texts are weighed by how likely they are before any image is seen.
    """

    def __init__(self, vocab: str, blank_index: int | None = None, prior: TextPrior | None = None) -> None:
        self.vocab, self.prior = vocab, prior
        self.blank_index = len(vocab) if blank_index is None else blank_index
        self.classes = len(vocab) + 1
        self._characters = [*vocab[: self.blank_index], "", *vocab[self.blank_index :]]
        self._indices = {character: index for index, character in enumerate(self._characters) if character}

    def encode(self, label: str) -> list[int]:
        """The class numbers of a label.

        Raises:
            LabelError: a character is not in the vocabulary.
        """
        unknown = sorted(set(label).difference(self._indices))
        if unknown:
            raise LabelError(f"the label {label!r} has {''.join(unknown)!r}, which the vocabulary lacks")
        return [self._indices[character] for character in label]

    def text(self, label: Sequence[int]) -> str:
        """The text of class numbers, none of them the blank."""
        return "".join(self._characters[index] for index in label)

    def steps_needed(self, label: str) -> int:
        """The least number of output steps that can spell a label: a blank must part equal neighbours."""
        return len(label) + sum(a == b for a, b in itertools.pairwise(label))

    def decode(self, probabilities: NDArray[np.floating], temperature: float = 1.0) -> list[Decoded]:
        """Greedy decoding: the likeliest class of each step, repeats merged, blanks removed.

        With a prior, the most probable of that text and those that the prior adds.

        Args:
            probabilities: (images, steps, classes), each step's summing to 1.
            temperature: divides the logits before confidences are computed; it changes no text but by a prior.
        """
        calibrated = with_temperature(probabilities, temperature)
        telling = (calibrated[:, :, self.blank_index] < SURE).ravel().nonzero()[0]
        paths = self._paths(probabilities.argmax(axis=2), calibrated, telling)
        greedy = [self._decoded(path, image) for path, image in zip(paths, calibrated, strict=True)]
        if self.prior is None:
            return greedy
        return self.prior.decode(self, greedy, calibrated)

    def text_probabilities(self, probabilities: NDArray[np.floating], texts: Sequence[str]) -> NDArray[np.float64]:
        """The probability of one text an image, summed over all alignments (the paper's forward variables).

        Args:
            probabilities: (images, steps, classes).
            texts: a text of the vocabulary for each image.

        Returns:
            float64 (images,), 0…1; 0 where the text needs more steps than there are.

        Raises:
            LabelError: a text has a character that the vocabulary lacks.
        """
        return probabilities_of_labels([self.encode(text) for text in texts], list(probabilities), self.blank_index)

    def align(self, probabilities: NDArray[np.float64], text: str) -> tuple[Span, ...]:
        """Where the characters of a text are seen: the runs of its likeliest alignment (Viterbi).

        Args:
            probabilities: (steps, classes); zeros count as very small, so that every text has an alignment.
            text: a text that fits the steps.

        Raises:
            LabelError: a character is not in the vocabulary, or the text needs more steps than there are.
        """
        if self.steps_needed(text) > len(probabilities):
            raise LabelError(f"the label {text!r} needs {self.steps_needed(text)} steps, not {len(probabilities)}")
        extended = np.full(2 * len(text) + 1, self.blank_index)
        extended[1::2] = self.encode(text)
        emitted = np.log(np.maximum(probabilities[:, extended], SMALLEST))
        skips = np.full(len(extended), -np.inf)
        skips[2:][extended[2:] != extended[:-2]] = 0.0  # never from blank to blank

        # Two states before the others stand for "no state to come from".
        best = np.full(len(extended) + 2, -np.inf)
        best[2:4] = emitted[0, :2]
        moves = np.zeros(emitted.shape, np.intp)
        for step in range(1, len(emitted)):
            ways = np.stack([best[2:], best[1:-1], best[:-2] + skips])
            moves[step] = ways.argmax(axis=0)
            best[2:] = ways.max(axis=0) + emitted[step]
        state = len(extended) - 2 + int(best[-2:].argmax())
        states = np.empty(len(emitted), np.intp)
        for step in reversed(range(len(emitted))):
            states[step] = state
            state -= moves[step, state]
        classes = extended[states]
        telling = np.flatnonzero((probabilities[:, self.blank_index] < SURE) | (classes != self.blank_index))
        (path,) = self._paths(classes[np.newaxis], probabilities[np.newaxis], telling)
        return self._spans(path.runs, _stretches(path)[0])

    def _paths(
        self, classes: NDArray[np.intp], probabilities: NDArray[np.floating], telling: NDArray[np.intp]
    ) -> list[Path]:
        """What tells something along paths, as plain numbers: for so few, a call of NumPy costs more than all of it.

        Args:
            classes: (images, steps); of each path.
            probabilities: (images, steps, classes).
            telling: which of all steps of all images are not surely blank.
        """
        images, steps, count = probabilities.shape
        places = telling.tolist()
        all_classes = classes.take(telling).tolist()
        all_blanks = probabilities[:, :, self.blank_index].take(telling).tolist()
        paths: list[Path] = []
        near: list[int] = []
        end = 0
        for first in range(0, images * steps, steps):
            start, end = end, bisect_left(places, first + steps, end)
            own = [place - first for place in places[start:end]]
            runs = _runs(own, all_classes[start:end], self.blank_index)
            stops = [bisect_left(own, border) for border in _borders(runs, steps)]
            paths.append(Path(own, all_blanks[start:end], [], runs, stops))
            for (symbol, _, _), stop in zip(runs, stops, strict=True):
                near += [symbol] * (start + stop - len(near))
            near += [self.blank_index] * (end - len(near))  # no character at all
        shown = probabilities.take(telling * count + np.array(near, np.intp)).tolist()
        end = 0
        for path in paths:
            start, end = end, end + len(path.steps)
            path.shown.extend(shown[start:end])
        return paths

    def _decoded(self, path: Path, probabilities: NDArray[np.floating]) -> Decoded:
        """What a path says; the probabilities of its image are (steps, classes)."""
        if not path.runs:
            return Decoded("", math.prod(path.blanks), ())
        ones, nones = _stretches(path)
        spans = self._spans(path.runs, ones)
        text = "".join([span.character for span in spans])
        if _not_by_stretches(path, ones, nones) < NEGLIGIBLE:
            return Decoded(text, math.prod(ones), spans)
        label = [symbol for symbol, _, _ in path.runs]
        if len(path.steps) * len(label) > MANY * len(probabilities):
            return Decoded(text, float(probabilities_of_labels([label], [probabilities], self.blank_index)[0]), spans)
        # Of steps in a row that are surely blank, one says as much as all: that after a step that is not.
        telling = sorted({*path.steps, *[step + 1 for step in path.steps if step + 1 < len(probabilities)]})
        columns = self._columns(probabilities, telling, label)
        return Decoded(text, probability_of_label(label, columns, self.blank_index), spans)

    def _columns(self, probabilities: NDArray[np.floating], steps: Sequence[int], classes: Iterable[int]) -> Columns:
        """Of probabilities (steps, classes), those of the blank and of some classes at some steps."""
        wanted = list({self.blank_index, *classes})
        return dict(zip(wanted, probabilities[np.ix_(steps, wanted)].T.tolist(), strict=True))

    def _spans(self, runs: Sequence[Run], confidences: Sequence[float]) -> tuple[Span, ...]:
        """The characters of runs."""
        return tuple(
            [
                Span(self._characters[symbol], confidence, first, after - 1)
                for (symbol, first, after), confidence in zip(runs, confidences, strict=True)
            ]
        )


def _runs(steps: Iterable[int], path: Iterable[int], blank: int) -> list[Run]:
    """The runs of equal classes along a path that are not blank; steps that are left out are blank."""
    runs: list[Run] = []
    symbol, first, after = blank, 0, 0
    for step, other in zip(steps, path, strict=True):
        if other != symbol or step != after:
            if symbol != blank:
                runs.append((symbol, first, after))
            symbol, first = other, step
        after = step + 1
    if symbol != blank:
        runs.append((symbol, first, after))
    return runs


def _borders(runs: Sequence[Run], steps: int) -> list[int]:
    """Where the stretch of each character ends: half-way from its run to the next one's, the last one's at the end."""
    following = [first for _, first, _ in runs[1:]]
    halves = [(after + first) // 2 for (_, _, after), first in zip(runs, following, strict=False)]
    return [*halves, steps] if runs else []


def _stretches(path: Path) -> tuple[list[float], list[float]]:
    """How likely each stretch reads as the one character that is near, and as none."""
    told = zip(path.steps, path.shown, path.blanks, strict=True)
    lengths = map(operator.sub, path.stops, (0, *path.stops))
    likely = [_probability_of_one(itertools.islice(told, length)) for length in lengths]
    return [one for one, _ in likely], [none for _, none in likely]


def _not_by_stretches(path: Path, ones: Sequence[float], nones: Sequence[float]) -> float:
    """By how much at most the product of what stretches read as one character differs from the text's probability.

    An alignment that counts for one and not for the other shows a character on both sides of a border, or it has a
    stretch without a character, for which another one has several.
    """
    steps, blanks, _, _, stops = path
    touching = [stop for stop in stops[:-1] if steps[stop - 1] + 1 == steps[stop]]
    crossing = sum([(1.0 - blanks[stop - 1]) * (1.0 - blanks[stop]) for stop in touching])
    return sum(nones) * (len(ones) - sum(ones)) + crossing


def _probability_of_one(told: Iterable[tuple[int, float, float]]) -> tuple[float, float]:
    """The probability that steps read as one character, the sum over its runs with blanks before and after; as none.

    Args:
        told: steps, and the probabilities of the character and of the blank at each; those left out are blank.
    """
    before, within, after = 1.0, 0.0, 0.0
    expected = 0
    for step, shown, nothing in told:
        if step != expected:
            after += within
            within = 0.0
        expected = step + 1
        after = (after + within) * nothing
        within = (within + before) * shown
        before *= nothing
    return min(within + after, 1.0), before


@np.errstate(divide="ignore")
def with_temperature(probabilities: NDArray[Real], temperature: float) -> NDArray[Real]:
    """The probabilities (images, steps, classes) of the logits divided by a temperature."""
    if temperature == 1.0:
        return probabilities
    # Powers of probabilities, normed, are the softmax of the logits over the temperature; `**` takes twice as long.
    powers = np.log(probabilities)
    if temperature < LOW_TEMPERATURE:
        powers -= powers.max(axis=2, keepdims=True)
    powers *= 1.0 / temperature
    np.exp(powers, out=powers)
    # As powers.sum(axis=2), which takes five times as long for few classes.
    powers /= (powers @ _ones(powers.shape[2], powers.dtype))[:, :, np.newaxis]
    return powers


@lru_cache
def _ones(count: int, dtype: np.dtype[Real]) -> NDArray[Real]:
    return np.ones(count, dtype)
