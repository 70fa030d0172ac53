"""Connectionist temporal classification (Graves et al., ICML 2006): from probabilities to text.

The one place that knows vocabulary, blank and decoding, for training and serving alike.
"""

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-200
"""Less is no probability: so small that no network means it, and so large that a product of it is not 0."""
NEGLIGIBLE = 5e-7
"""What is less likely does not change the sixth digit of a confidence."""
SURE = 1 - 1e-9
"""So near to 1 that to take all steps of a text that are for 1 changes less than what is negligible."""
LOW_TEMPERATURE = 0.05
"""Below it, all powers of a step's probabilities may underflow."""


class LabelError(ValueError):
    """A label has a character that the vocabulary lacks."""


Columns = dict[int, list[float]]
"""The probabilities of some classes, by class, at each step."""


class Run(NamedTuple):
    """Steps in a row of the same class: the class, the first of them, and the one after the last."""

    symbol: int
    first: int
    after: int


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


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and how sure it is."""

    text: str
    confidence: float
    """The probability of the whole text: the sum over all its alignments, 0…1."""
    spans: tuple[Span, ...]
    alternatives: tuple[Alternative, ...] = ()
    """The most probable texts, best first, where a search was asked for them."""


class CtcCodec:
    """Turns labels into class numbers and a network's probabilities into text.

    A network over a vocabulary of V characters has V + 1 outputs a step; one of them, `blank_index`, is
    the blank, and the others are the characters in the vocabulary's order. `mltu` puts the blank last.
    """

    def __init__(self, vocab: str, blank_index: int | None = None) -> None:
        self.vocab = vocab
        self.blank_index = len(vocab) if blank_index is None else blank_index
        self.classes = len(vocab) + 1
        self._characters = [*vocab[: self.blank_index], "", *vocab[self.blank_index :]]
        self._indices = {character: index for index, character in enumerate(self._characters) if character}

    def encode(self, label: str) -> list[int]:
        """The class numbers of a label.

        Raises:
            LabelError: a character is not in the vocabulary.
        """
        unknown = sorted(set(label) - self._indices.keys())
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

        Args:
            probabilities: (images, steps, classes), each step's summing to 1.
            temperature: divides the logits before confidences are computed; it does not change the text.
        """
        runs = [_runs(path, self.blank_index) for path in probabilities.argmax(axis=2).tolist()]
        borders = [_borders(image) for image in runs]
        calibrated = with_temperature(probabilities.astype(np.float64), temperature)
        shown, blanks = self._along(runs, borders, calibrated)
        return [self._decoded(*image) for image in zip(runs, borders, shown, blanks, calibrated, strict=True)]

    def text_probabilities(self, probabilities: NDArray[np.floating], texts: Sequence[str]) -> NDArray[np.float64]:
        """The probability of one text an image, summed over all alignments (the paper's forward variables).

        Computed without logarithms: a prefix of a path is never less likely than the path, so what
        underflows to 0 could not have been seen in the sum.

        Args:
            probabilities: (images, steps, classes).
            texts: a text of the vocabulary for each image.

        Returns:
            float64 (images,), 0…1; 0 where the text needs more steps than there are.

        Raises:
            LabelError: a text has a character that the vocabulary lacks.
        """
        labels = [self.encode(text) for text in texts]
        return np.array(
            [
                _probability_of_label(label, self._columns(image, label), self.blank_index)
                for image, label in zip(probabilities, labels, strict=True)
            ],
            np.float64,
        )

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
        runs = _runs(extended[states].tolist(), self.blank_index)
        borders = _borders(runs)
        (shown,), (blanks,) = self._along([runs], [borders], probabilities[np.newaxis])
        return self._spans(runs, _stretches(borders, shown, blanks)[0])

    def _decoded(
        self,
        runs: Sequence[Run],
        borders: Sequence[int],
        shown: Sequence[float],
        blanks: Sequence[float],
        probabilities: NDArray[np.float64],
    ) -> Decoded:
        """What the runs of an image say; its probabilities are (steps, classes), `shown` and `blanks` see `_along`."""
        ones, nones = _stretches(borders, shown, blanks)
        spans = self._spans(runs, ones)
        text = "".join([span.character for span in spans])
        if not spans:
            return Decoded(text, nones[0], spans)
        if _not_by_stretches(ones, nones, borders, blanks) < NEGLIGIBLE:
            return Decoded(text, math.prod(ones), spans)
        label = [run.symbol for run in runs]
        # Of steps in a row that are surely blank, one says as much as all.
        telling = [step for step, pair in enumerate(itertools.pairwise((0.0, *blanks))) if min(pair) < SURE]
        columns = self._columns(probabilities[telling], label)
        return Decoded(text, _probability_of_label(label, columns, self.blank_index), spans)

    def _along(
        self, runs: Sequence[Sequence[Run]], borders: Sequence[Sequence[int]], probabilities: NDArray[np.float64]
    ) -> tuple[list[list[float]], list[list[float]]]:
        """For each image, of its probabilities at each step, those of the character that is near and of the blank.

        As plain numbers: a text is so short that a call of NumPy costs more than all that it computes.

        Args:
            runs: of each image.
            borders: between them.
            probabilities: (images, steps, classes).
        """
        images, steps, classes = probabilities.shape
        near: list[int] = []
        for image, (image_runs, image_borders) in enumerate(zip(runs, borders, strict=True)):
            for run, stop in zip(image_runs, (*image_borders, steps), strict=bool(image_runs)):
                near += [run.symbol] * (image * steps + stop - len(near))
            near += [self.blank_index] * ((image + 1) * steps - len(near))  # no character at all
        shown = probabilities.take(np.arange(0, probabilities.size, classes) + near)
        return shown.reshape(images, steps).tolist(), probabilities[:, :, self.blank_index].tolist()

    def _columns(self, probabilities: NDArray[np.floating], classes: Iterable[int]) -> Columns:
        """Of probabilities (steps, classes), those of the blank and of some classes."""
        wanted = list({self.blank_index, *classes})
        return dict(zip(wanted, probabilities.take(wanted, axis=1).T.tolist(), strict=True))

    def _spans(self, runs: Sequence[Run], confidences: Sequence[float]) -> tuple[Span, ...]:
        """The characters of runs."""
        return tuple(
            [
                Span(self._characters[symbol], confidence, first, after - 1)
                # Without characters there is one stretch, and none to say anything of.
                for (symbol, first, after), confidence in zip(runs, confidences, strict=bool(runs))
            ]
        )


def _runs(path: Iterable[int], blank: int) -> list[Run]:
    """The runs of equal classes along a path that are not blank."""
    runs: list[Run] = []
    symbol, first = blank, 0
    for step, other in enumerate((*path, blank)):
        if other != symbol:
            if symbol != blank:
                runs.append(Run(symbol, first, step))
            symbol, first = other, step
    return runs


def _borders(runs: Sequence[Run]) -> list[int]:
    """Where one character's stretch of the steps ends and the next one's begins: half-way between their runs."""
    return [(left.after + right.first) // 2 for left, right in itertools.pairwise(runs)]


def _stretches(
    borders: Sequence[int], shown: Sequence[float], blanks: Sequence[float]
) -> tuple[list[float], list[float]]:
    """How likely the steps between borders read as the one character that is near them, and as none."""
    stretches = itertools.pairwise((0, *borders, len(blanks)))
    likely = [_probability_of_one(shown[start:stop], blanks[start:stop]) for start, stop in stretches]
    return [one for one, _ in likely], [none for _, none in likely]


def _not_by_stretches(
    ones: Sequence[float], nones: Sequence[float], borders: Sequence[int], blanks: Sequence[float]
) -> float:
    """By how much at most the product of what stretches read as one character differs from the text's probability.

    An alignment that counts for one and not for the other shows a character on both sides of a border, or it has a
    stretch without a character, for which another one has several.
    """
    doubt = sum([1.0 - one for one in ones])
    return sum(nones) * doubt + sum([(1.0 - blanks[border - 1]) * (1.0 - blanks[border]) for border in borders])


def _probability_of_label(label: Sequence[int], columns: Columns, blank: int) -> float:
    """The probability of a text: the sum over all its alignments (the paper's forward variables).

    Args:
        label: the text as classes.
        columns: the probabilities of them and of the blank.
        blank: its class.
    """
    blanks = columns[blank]
    # Of what has been seen of the text so far, after each step: that shows the last character, or a blank after it.
    shown, parted = [0.0] * len(blanks), list(itertools.accumulate(blanks, operator.mul))
    before = blank
    for symbol in label:
        # Equal characters must be parted.
        starts = parted if symbol == before else map(operator.add, shown, parted)
        seen, then_parted = 0.0, 0.0
        shown, parted, coming = [], [], [float(before == blank), *starts]
        for start, likely, nothing in zip(coming, columns[symbol], blanks, strict=False):
            then_parted = (then_parted + seen) * nothing
            seen = (seen + start) * likely
            shown.append(seen)
            parted.append(then_parted)
        before = symbol
    return min(shown[-1] + parted[-1], 1.0)


def _probability_of_one(character: Sequence[float], blank: Sequence[float]) -> tuple[float, float]:
    """The probability that steps read as one character, the sum over its runs with blanks before and after; as none."""
    before, within, after = 1.0, 0.0, 0.0
    for shown, nothing in zip(character, blank, strict=True):
        after = (after + within) * nothing
        within = (within + before) * shown
        before *= nothing
    return min(within + after, 1.0), before


def with_temperature(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The probabilities (images, steps, classes) of the logits divided by a temperature."""
    if temperature == 1.0:
        return probabilities
    # Powers of probabilities, normed, are the softmax of the logits over the temperature.
    if temperature < LOW_TEMPERATURE:
        probabilities = probabilities / probabilities.max(axis=2, keepdims=True)
    powers = probabilities ** (1.0 / temperature)
    # As powers.sum(axis=2), which takes three times as long for few classes.
    return np.asarray(powers / np.einsum("isc->is", powers)[:, :, np.newaxis])
