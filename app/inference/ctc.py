"""Connectionist temporal classification (Graves et al., ICML 2006): from probabilities to text.

The one place that knows vocabulary, blank and decoding, for training and serving alike.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-200
"""Less is no probability: so small that no network means it, and so large that a product of it is not 0."""
NEGLIGIBLE = 5e-7
"""What is less likely does not change the sixth digit of a confidence."""


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
        paths = probabilities.argmax(axis=2).tolist()
        probabilities = with_temperature(probabilities.astype(np.float64), temperature)
        return [self._decode_path(path, image) for path, image in zip(paths, probabilities, strict=True)]

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
        path = extended[states].tolist()
        runs = _runs(path, self.blank_index)
        return self._spans(runs, _borders(runs), self._columns(probabilities, path))

    def _decode_path(self, path: list[int], probabilities: NDArray[np.float64]) -> Decoded:
        """What the likeliest classes of an image's steps say; probabilities are (steps, classes)."""
        columns = self._columns(probabilities, path)
        runs = _runs(path, self.blank_index)
        borders = _borders(runs)
        spans = self._spans(runs, borders, columns)
        if _alignments_left_out(spans, borders, columns[self.blank_index]) < NEGLIGIBLE:
            confidence = math.prod(span.confidence for span in spans)
        else:
            confidence = _probability_of_label([run.symbol for run in runs], columns, self.blank_index)
        return Decoded("".join(span.character for span in spans), confidence, spans)

    def _columns(self, probabilities: NDArray[np.float64], classes: Iterable[int]) -> Columns:
        """Of probabilities (steps, classes), those of the blank and of some classes."""
        wanted = list({self.blank_index, *classes})
        # Plain numbers: a text is so short that a call of NumPy costs more than all that it computes.
        return dict(zip(wanted, probabilities.take(wanted, axis=1).T.tolist(), strict=True))

    def _spans(self, runs: Sequence[Run], borders: Sequence[int], columns: Columns) -> tuple[Span, ...]:
        """The characters of runs, and how sure each is between its borders."""
        blanks = columns[self.blank_index]
        stretches = itertools.pairwise((0, *borders, len(blanks)))
        return tuple(
            Span(
                self._characters[run.symbol],
                _probability_of_one(columns[run.symbol][start:stop], blanks[start:stop]),
                run.first,
                run.after - 1,
            )
            # Without characters there is one stretch, and none to say anything of.
            for run, (start, stop) in zip(runs, stretches, strict=bool(runs))
        )


def _runs(path: Iterable[int], blank: int) -> list[Run]:
    """The runs of equal classes along a path that are not blank."""
    runs = []
    first = 0
    for index, run in itertools.groupby(path):
        after = first + len(list(run))
        if index != blank:
            runs.append(Run(index, first, after))
        first = after
    return runs


def _borders(runs: Sequence[Run]) -> list[int]:
    """Where one character's stretch of the steps ends and the next one's begins: half-way between their runs."""
    return [(left.after + right.first) // 2 for left, right in itertools.pairwise(runs)]


def _alignments_left_out(spans: Sequence[Span], borders: Sequence[int], blanks: Sequence[float]) -> float:
    """At most how likely are the alignments of a text that the product of its characters' probabilities leaves out.

    In those, a character is seen on both sides of a border, or two stretches at least read as something else than
    their character, since with one of them it would be another text.
    """
    if not spans:
        return 1.0
    doubt = sum(1.0 - span.confidence for span in spans)
    return doubt * doubt / 2 + sum(1.0 - max(blanks[border - 1], blanks[border]) for border in borders)


def _probability_of_label(label: Sequence[int], columns: Columns, blank: int) -> float:
    """The probability of a text: the sum over all its alignments (the paper's forward variables).

    Args:
        label: the text as classes.
        columns: the probabilities of them and of the blank.
        blank: its class.
    """
    count = len(label)
    # By how many characters have been seen: the last step shows the last of them, or a blank. The one more at the
    # end stays 0 and is also what comes before the first.
    shown, parted = [0.0] * (count + 2), [1.0] + [0.0] * (count + 1)
    emitted = [columns[symbol] for symbol in (blank, *label)]
    follows = [0.0, 0.0, *(float(left != right) for left, right in itertools.pairwise(label))]  # without a blank
    for step, nothing in enumerate(columns[blank]):
        for seen in range(min(step + 1, count), -1, -1):
            last = shown[seen]
            shown[seen] = (last + parted[seen - 1] + follows[seen] * shown[seen - 1]) * emitted[seen][step]
            parted[seen] = (parted[seen] + last) * nothing
    return min(shown[count] + parted[count], 1.0)


def _probability_of_one(character: list[float], blank: list[float]) -> float:
    """The probability that steps read as one character: the sum over its runs, blanks before and after."""
    before, within, after = 1.0, 0.0, 0.0
    for shown, nothing in zip(character, blank, strict=True):
        after = (after + within) * nothing
        within = (within + before) * shown
        before *= nothing
    return min(within + after, 1.0)


def with_temperature(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The probabilities (images, steps, classes) of the logits divided by a temperature."""
    if temperature == 1.0:
        return probabilities
    # Powers of probabilities, normed, are the softmax of the logits over the temperature. The likeliest is
    # made 1 before, lest all of a step's powers underflow at low temperatures.
    powers = (probabilities / probabilities.max(axis=2, keepdims=True)) ** (1.0 / temperature)
    return np.asarray(powers / powers.sum(axis=2, keepdims=True))
