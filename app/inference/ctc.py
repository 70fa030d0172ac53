"""Connectionist temporal classification (Graves et al., ICML 2006): from probabilities to text.

The one place that knows vocabulary, blank and decoding, for training and serving alike.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-200
"""Less is no probability: so small that no network means it, and so large that a product of it is not 0."""
NEGLIGIBLE = 1e-10
"""All that is less likely, in all steps together, is far from the sixth digit of a confidence."""


class LabelError(ValueError):
    """A label has a character that the vocabulary lacks."""


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
        paths = probabilities.argmax(axis=2)
        probabilities = with_temperature(probabilities.astype(np.float64), temperature)
        spans = [self._spans(path, image) for path, image in zip(paths, probabilities, strict=True)]
        texts = ["".join(span.character for span in image) for image in spans]
        confidences = self.text_probabilities(probabilities, texts)
        return [
            Decoded(text, float(confidence), image)
            for text, confidence, image in zip(texts, confidences, spans, strict=True)
        ]

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
        if not texts:
            return np.empty(0)
        images, steps = probabilities.shape[:2]
        labels = [self.encode(text) for text in texts]
        lengths = np.array([len(label) for label in labels])
        # The states of all images, one image after the other. Each begins with two that stay 0 and stand for
        # "no state to come from": so an operation on the whole row is one on every image.
        states = 2 * int(lengths.max()) + 3
        extended = np.full((images, states), self.blank_index)
        for row, label in zip(extended, labels, strict=True):
            row[3 : 2 * len(label) + 3 : 2] = label
        emitted = np.zeros((steps, images, states))
        for index, (image, row) in enumerate(zip(probabilities, extended, strict=True)):
            emitted[:, index, 2:] = image[:, row[2:]]
        emitted = _merge_sure_blanks(emitted)
        skips = np.zeros((images, states))
        skips[:, 4:] = extended[:, 4:] != extended[:, 2:-2]  # never from blank to blank

        forward = np.zeros((images, states))
        forward[:, 2:4] = emitted[0, :, 2:4]
        _advance(forward.reshape(-1), skips.reshape(-1), emitted.reshape(len(emitted), -1))
        rows = np.arange(images)
        ends = forward[rows, 2 * lengths + 1] + forward[rows, 2 * lengths + 2]
        return np.minimum(ends, 1.0)

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
        return self._spans(extended[states], probabilities)

    def _spans(self, path: NDArray[np.intp], probabilities: NDArray[np.float64]) -> tuple[Span, ...]:
        """The runs of equal classes along a path of (steps,) that are not blank."""
        runs = []
        first = 0
        for index, run in itertools.groupby(path.tolist()):
            after = first + len(list(run))
            if index != self.blank_index:
                runs.append((index, first, after))
            first = after
        # Half-way to its neighbours a character's stretch ends.
        borders = [0, *((left[2] + right[1]) // 2 for left, right in itertools.pairwise(runs)), len(path)]
        blanks = probabilities[:, self.blank_index].tolist()
        return tuple(
            Span(
                self._characters[index],
                _probability_of_one(probabilities[start:stop, index].tolist(), blanks[start:stop]),
                first,
                after - 1,
            )
            # Without characters there is one stretch, and none to say anything of.
            for (index, first, after), (start, stop) in zip(runs, itertools.pairwise(borders), strict=bool(runs))
        )


def _merge_sure_blanks(emitted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make one step of steps in a row that are surely blank: nothing can change in them but how likely it all is.

    Args:
        emitted: (steps, images, states), the characters in every second state.

    Returns:
        The same, of fewer steps. What the sum over alignments loses is less than `NEGLIGIBLE` for each character and
        step.
    """
    sure = emitted[:, :, 3::2].max(axis=(1, 2), initial=0.0) < NEGLIGIBLE
    starts = np.flatnonzero(~(sure[1:] & sure[:-1])) + 1
    return np.multiply.reduceat(emitted, np.concatenate(([0], starts)), axis=0)


def _advance(forward: NDArray[np.float64], skips: NDArray[np.float64], emitted: NDArray[np.float64]) -> None:
    """Take the forward variables from the first step to the last, in place."""
    stay, move, skip = forward[2:], forward[1:-1], forward[:-2]
    skips = skips[2:]
    arriving = np.empty_like(stay)
    for probabilities in emitted[1:, 2:]:
        np.multiply(skips, skip, arriving)
        np.add(arriving, move, arriving)
        np.add(arriving, stay, arriving)
        np.multiply(arriving, probabilities, stay)


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
