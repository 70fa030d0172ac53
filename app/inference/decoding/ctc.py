"""Connectionist temporal classification (Graves et al., ICML 2006): decoding of probabilities to text.

The only module with the mapping of vocabulary and blank to classes, for training and serving.
"""

import itertools
import math
import operator
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.forward import MAX_PROBABILITIES, probabilities_of_labels, probability_of_label
from app.inference.decoding.sums import Sum

if TYPE_CHECKING:
    from app.inference.decoding.prior import TextPrior

CONFIDENCE_DIGITS = 6
"""Digits of confidences in responses and tables; further digits are not significant."""
SMALLEST = 1e-200
"""Smaller probabilities count as 0: in a network's output they mean nothing. A product with it does not underflow."""
NEGLIGIBLE = 5e-7
"""Smaller differences do not change the sixth digit of a confidence."""
CERTAIN = 1 - 1e-9
"""Probabilities above this are taken as 1; over all steps of a text, that changes a confidence negligibly."""
MAX_SCALAR_COST = 40
"""Up to this value of characters * relevant steps / all steps, Python's numbers are faster than NumPy's."""
LOW_TEMPERATURE = 0.2
"""Below it, all powers of a step's probabilities may underflow in the networks' 32 bits."""


Real = TypeVar("Real", bound=np.floating)


class LabelError(ValueError):
    """A label has a character that is not in the vocabulary, or needs too many steps."""


Run = tuple[int, int, int]
"""Consecutive steps of the same class: the class, the first step, and the step after the last."""


class Path(NamedTuple):
    """Path of classes through an image, reduced to the steps that are not certainly blank: about a quarter."""

    steps: list[int]
    blanks: list[float]
    """Probability of the blank at each of these steps."""
    emissions: list[float]
    """Probability of the segment's character at each of these steps."""
    runs: list[Run]
    """Runs of the characters."""
    stops: list[int]
    """Number of these steps before the end of each character's segment, which is halfway to the next character."""


class Span(NamedTuple):
    """Character of a decoded text and its run of output steps."""

    character: str
    confidence: float
    """Probability that its segment, which ends halfway to its neighbours, reads as this one character: the sum over
    all alignments of the segment, 0…1."""
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """Candidate text of an image."""

    text: str
    confidence: float
    """Probability of the whole text: the sum over all its alignments, 0…1."""

    def to_dict(self) -> dict[str, Any]:
        """Return the alternative for JSON."""
        return {"text": self.text, "confidence": round(self.confidence, CONFIDENCE_DIGITS)}


@dataclass(frozen=True, slots=True)
class Decoded:
    """Decoded text and its confidence."""

    text: str
    confidence: float
    """Probability of the whole text: the sum over all its alignments, 0…1."""
    spans: tuple[Span, ...]
    alternatives: tuple[Alternative, ...] = ()
    """Most probable texts, best first, if requested."""
    sum: Sum | None = None
    """Value of the sum in the image, if requested."""


class CtcCodec:
    """Codec of labels to classes, and of a network's probabilities to text.

    A network over a vocabulary of V characters has V + 1 outputs per step. One of them, `blank_index`, is the blank,
    and the others are the characters in the vocabulary's order. `mltu` puts the blank last. A prior weighs texts by
    their probability before an image is seen.
    """

    def __init__(self, vocab: str, blank_index: int | None = None, prior: "TextPrior | None" = None) -> None:
        self.vocab, self.prior = vocab, prior
        self.blank_index = len(vocab) if blank_index is None else blank_index
        self.classes = len(vocab) + 1
        self._characters = [*vocab[: self.blank_index], "", *vocab[self.blank_index :]]
        self._indices = {character: index for index, character in enumerate(self._characters) if character}

    def encode(self, label: str) -> list[int]:
        """Return the classes of a label.

        Raises:
            LabelError: if a character is not in the vocabulary.
        """
        unknown = sorted(set(label).difference(self._indices))
        if unknown:
            raise LabelError(f"the label {label!r} has {''.join(unknown)!r}, not in the vocabulary")
        return [self._indices[character] for character in label]

    def text(self, label: Sequence[int]) -> str:
        """Return the text of classes, none of them the blank."""
        return "".join(self._characters[index] for index in label)

    def steps_needed(self, label: str) -> int:
        """Return the minimum number of output steps for a label; equal neighbours need a blank between them."""
        return len(label) + sum(a == b for a, b in itertools.pairwise(label))

    def decode(self, probabilities: NDArray[np.floating], temperature: float = 1.0) -> list[Decoded]:
        """Decode greedily: take the most probable class of each step, merge repeats, remove blanks.

        With a prior, return the most probable of that text and those that the prior adds.

        Args:
            probabilities: (images, steps, classes), each step's summing to 1.
            temperature: divides the logits before confidences are computed; it changes texts only with a prior.
        """
        calibrated = with_temperature(probabilities, temperature)
        relevant = (calibrated[:, :, self.blank_index] < CERTAIN).ravel().nonzero()[0]
        paths = self._paths(probabilities.argmax(axis=2), calibrated, relevant)
        greedy = [self._decoded(path, image) for path, image in zip(paths, calibrated, strict=True)]
        if self.prior is None:
            return greedy
        texts = self.prior.choose(self, [Alternative(one.text, one.confidence) for one in greedy], calibrated)
        pairs = list(zip(greedy, texts, strict=True))
        changed = {index: chosen.text for index, (one, chosen) in enumerate(pairs) if one.text != chosen.text}
        spans = dict(zip(changed, self.align(calibrated[[*changed]], [*changed.values()]), strict=True))
        return [
            replace(one, text=chosen.text, confidence=chosen.confidence, spans=spans.get(index, one.spans))
            for index, (one, chosen) in enumerate(pairs)
        ]

    def decode_texts(self, probabilities: NDArray[np.floating], temperature: float = 1.0) -> list[Alternative]:
        """Decode like `decode`, but without spans: of many images, much faster."""
        calibrated = with_temperature(probabilities, temperature)
        paths = probabilities.argmax(axis=2).tolist()
        labels = [[symbol for symbol, _ in itertools.groupby(path) if symbol != self.blank_index] for path in paths]
        likely = probabilities_of_labels(labels, list(calibrated), self.blank_index).tolist()
        texts = [Alternative(self.text(label), confidence) for label, confidence in zip(labels, likely, strict=True)]
        return texts if self.prior is None else self.prior.choose(self, texts, calibrated)

    def align(self, probabilities: NDArray[np.floating], texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """Return the spans of each text's characters in its most probable alignment with its image (Viterbi).

        Args:
            probabilities: (images, steps, classes); zeros count as very small values, so that every text has an
                alignment.
            texts: a text for each image that fits the steps.

        Raises:
            LabelError: if a character is not in the vocabulary, or a text needs more steps than there are.
        """
        steps = probabilities.shape[1]
        for text in texts:
            if self.steps_needed(text) > steps:
                raise LabelError(f"the label {text!r} needs {self.steps_needed(text)} steps, not {steps}")
        states = 2 * max(map(len, texts), default=0) + 1
        size = max(1, MAX_PROBABILITIES // (steps * states))
        chunks = [slice(start, start + size) for start in range(0, len(texts), size)]
        return [spans for chunk in chunks for spans in self._align(probabilities[chunk], texts[chunk], states)]

    def _align(
        self, probabilities: NDArray[np.floating], texts: Sequence[str], states: int
    ) -> Iterator[tuple[Span, ...]]:
        lengths = np.array([*map(len, texts)])
        extended = np.full((len(texts), states), self.blank_index)
        for row, text in zip(extended, texts, strict=True):
            row[1 : 2 * len(text) : 2] = self.encode(text)
        emitted = np.take_along_axis(probabilities, extended[:, np.newaxis], axis=2).astype(np.float64)
        emitted = np.log(np.maximum(emitted, SMALLEST)).transpose(1, 0, 2)
        skips = np.full(extended.shape, -np.inf)
        skips[:, 2:][extended[:, 2:] != extended[:, :-2]] = 0.0  # not between blanks or equal characters

        # Two additional states before the others have no probability.
        best = np.full((len(texts), states + 2), -np.inf)
        best[:, 2:4] = emitted[0, :, :2]
        moves = np.zeros(emitted.shape, np.int8)
        for step in range(1, len(emitted)):
            ways = np.stack([best[:, 2:], best[:, 1:-1], best[:, :-2] + skips])
            moves[step] = ways.argmax(axis=0)
            best[:, 2:] = ways.max(axis=0) + emitted[step]
        rows = np.arange(len(texts))
        state = 2 * lengths - 1 + (best[rows, 2 * lengths + 2] > best[rows, 2 * lengths + 1])
        classes = np.empty(probabilities.shape[:2], np.intp)
        for step in reversed(range(len(emitted))):
            classes[:, step] = extended[rows, state]
            state = state - moves[step, rows, state]
        relevant = (probabilities[:, :, self.blank_index] < CERTAIN) | (classes != self.blank_index)
        for path in self._paths(classes, probabilities, np.flatnonzero(relevant)):
            yield self._spans(path.runs, _segment_probabilities(path)[0])

    def _paths(
        self, classes: NDArray[np.intp], probabilities: NDArray[np.floating], relevant: NDArray[np.intp]
    ) -> list[Path]:
        """Reduce paths to their relevant steps, as plain numbers: for so few, NumPy's calls would cost more.

        Args:
            classes: (images, steps), of each path.
            probabilities: (images, steps, classes).
            relevant: indices of the steps that are not certainly blank, over all steps of all images.
        """
        images, steps, count = probabilities.shape
        indices = relevant.tolist()
        all_classes = classes.take(relevant).tolist()
        all_blanks = probabilities[:, :, self.blank_index].take(relevant).tolist()
        paths: list[Path] = []
        nearest: list[int] = []
        end = 0
        for first in range(0, images * steps, steps):
            start, end = end, bisect_left(indices, first + steps, end)
            own = [index - first for index in indices[start:end]]
            runs = _runs(own, all_classes[start:end], self.blank_index)
            stops = [bisect_left(own, border) for border in _borders(runs, steps)]
            paths.append(Path(own, all_blanks[start:end], [], runs, stops))
            for (symbol, _, _), stop in zip(runs, stops, strict=True):
                nearest += [symbol] * (start + stop - len(nearest))
            nearest += [self.blank_index] * (end - len(nearest))  # without characters
        emissions = probabilities.take(relevant * count + np.array(nearest, np.intp)).tolist()
        end = 0
        for path in paths:
            start, end = end, end + len(path.steps)
            path.emissions.extend(emissions[start:end])
        return paths

    def _decoded(self, path: Path, probabilities: NDArray[np.floating]) -> Decoded:
        """Decode a path; the probabilities of its image are (steps, classes)."""
        if not path.runs:
            return Decoded("", math.prod(path.blanks), ())
        as_one, as_none = _segment_probabilities(path)
        spans = self._spans(path.runs, as_one)
        text = "".join([span.character for span in spans])
        if _segment_error_bound(path, as_one, as_none) < NEGLIGIBLE:
            return Decoded(text, math.prod(as_one), spans)
        label = [symbol for symbol, _, _ in path.runs]
        if len(path.steps) * len(label) > MAX_SCALAR_COST * len(probabilities):
            return Decoded(text, float(probabilities_of_labels([label], [probabilities], self.blank_index)[0]), spans)
        # Of consecutive steps that are certainly blank, only the first matters.
        relevant = sorted({*path.steps, *[step + 1 for step in path.steps if step + 1 < len(probabilities)]})
        classes = list({self.blank_index, *label})
        columns = dict(zip(classes, probabilities[np.ix_(relevant, classes)].T.tolist(), strict=True))
        return Decoded(text, probability_of_label(label, columns, self.blank_index), spans)

    def _spans(self, runs: Sequence[Run], confidences: Sequence[float]) -> tuple[Span, ...]:
        """Return the spans of runs."""
        return tuple(
            [
                Span(self._characters[symbol], confidence, first, after - 1)
                for (symbol, first, after), confidence in zip(runs, confidences, strict=True)
            ]
        )


def _runs(steps: Iterable[int], path: Iterable[int], blank: int) -> list[Run]:
    """Return the runs of equal classes along a path except blanks; omitted steps are blank."""
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
    """Return the end of each character's segment: halfway from its run to the next, or the last step."""
    following = [first for _, first, _ in runs[1:]]
    halves = [(after + first) // 2 for (_, _, after), first in zip(runs, following, strict=False)]
    return [*halves, steps] if runs else []


def _segment_probabilities(path: Path) -> tuple[list[float], list[float]]:
    """Return the probabilities that each segment reads as its one character, and as no character."""
    steps = zip(path.steps, path.emissions, path.blanks, strict=True)
    lengths = map(operator.sub, path.stops, (0, *path.stops))
    segments = [_probability_of_one(itertools.islice(steps, length)) for length in lengths]
    return [one for one, _ in segments], [none for _, none in segments]


def _segment_error_bound(path: Path, as_one: Sequence[float], as_none: Sequence[float]) -> float:
    """Return a bound of the difference between the text's probability and the product over its segments.

    An alignment counts for only one of the two if it has a character on both sides of a border, or a segment without
    a character and thus another one with several.
    """
    steps, blanks, _, _, stops = path
    touching = [stop for stop in stops[:-1] if steps[stop - 1] + 1 == steps[stop]]
    crossing = sum([(1.0 - blanks[stop - 1]) * (1.0 - blanks[stop]) for stop in touching])
    return sum(as_none) * (len(as_one) - sum(as_one)) + crossing


def _probability_of_one(steps: Iterable[tuple[int, float, float]]) -> tuple[float, float]:
    """Return the probabilities that steps read as one character, summed over its runs, and as no character.

    Args:
        steps: steps, and the probabilities of the character and of the blank at each; omitted steps are blank.
    """
    before, within, after = 1.0, 0.0, 0.0
    expected = 0
    for step, emission, blank in steps:
        if step != expected:
            after += within
            within = 0.0
        expected = step + 1
        after = (after + within) * blank
        within = (within + before) * emission
        before *= blank
    return min(within + after, 1.0), before


@np.errstate(divide="ignore")
def with_temperature(probabilities: NDArray[Real], temperature: float) -> NDArray[Real]:
    """Return the probabilities (images, steps, classes) with the logits divided by a temperature."""
    if temperature == 1.0:
        return probabilities
    # Normalised powers of probabilities equal the softmax of the scaled logits; `**` takes twice as long.
    powers = np.log(probabilities)
    if temperature < LOW_TEMPERATURE:
        powers -= powers.max(axis=2, keepdims=True)
    powers *= 1.0 / temperature
    np.exp(powers, out=powers)
    # Equals powers.sum(axis=2), which takes five times as long for few classes.
    powers /= (powers @ _ones(powers.shape[2], powers.dtype))[:, :, np.newaxis]
    return powers


@lru_cache
def _ones(count: int, dtype: np.dtype[Real]) -> NDArray[Real]:
    return np.ones(count, dtype)
