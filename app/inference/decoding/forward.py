"""Probability of a text: the sum over all its alignments, by the forward variables of Graves et al. (ICML 2006).

Computed without logarithms: a path is never more probable than its prefix, so paths that underflow to 0 are negligible
in the sum.
"""

import itertools
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_PROBABILITIES = 1_000_000
"""Maximum number of probabilities in memory at a time."""

Columns = dict[int, list[float]]
"""Probabilities at each step, by class."""


def probability_of_label(label: Sequence[int], columns: Columns, blank_index: int) -> float:
    """Return the probability of one text, with plain numbers: for few characters and steps, NumPy takes longer."""
    blanks = columns[blank_index]
    # Forward variables after each step, for the last character so far and for the blank after it.
    in_character, in_blank = [0.0] * len(blanks), list(itertools.accumulate(blanks, operator.mul))
    before = blank_index
    for symbol in label:
        # Equal neighbours need a blank between them.
        starts = in_blank if symbol == before else map(operator.add, in_character, in_blank)
        character_so_far, blank_so_far = 0.0, 0.0
        in_character, in_blank, arriving = [], [], [float(before == blank_index), *starts]
        for start, emission, blank in zip(arriving, columns[symbol], blanks, strict=False):
            blank_so_far = (blank_so_far + character_so_far) * blank
            character_so_far = (character_so_far + start) * emission
            in_character.append(character_so_far)
            in_blank.append(blank_so_far)
        before = symbol
    return min(in_character[-1] + in_blank[-1], 1.0)


def probabilities_of_labels(
    labels: Sequence[Sequence[int]], images: Sequence[NDArray[np.floating]], blank_index: int
) -> NDArray[np.float64]:
    """Return the probabilities of long or many texts, computed together step by step.

    Args:
        labels: texts as classes.
        images: for each text, the probabilities (steps, classes) of its image, with equal numbers of steps.
        blank_index: the class of the blank.

    Returns:
        (labels,), bitwise equal to `probability_of_label`.
    """
    found = np.empty(len(labels))
    longest = max(map(len, labels), default=0)
    size = max(1, MAX_PROBABILITIES // (longest * len(images[0]))) if longest else max(1, len(labels))
    for start in range(0, len(labels), size):
        chunk = slice(start, start + size)
        padded, lengths = _padded(labels[chunk], blank_index)
        emissions = np.empty((len(images[0]), *padded.shape))
        blanks = np.empty((len(images[0]), len(lengths), 1))
        for row, image in enumerate(images[chunk]):
            emissions[:, row] = image.take(padded[row], axis=1)
            blanks[:, row, 0] = image[:, blank_index]
        found[chunk] = _forward(blanks, emissions, padded, lengths)
    return found


def probabilities_of_all(
    labels: Sequence[Sequence[int]], images: NDArray[np.floating], blank_index: int
) -> NDArray[np.float64]:
    """Return the probabilities of each text in each image.

    Args:
        labels: texts as classes, none of them empty.
        images: probabilities (images, steps, classes).
        blank_index: the class of the blank.

    Returns:
        (images, labels).
    """
    padded, lengths = _padded(labels, blank_index)
    size = max(1, MAX_PROBABILITIES // (padded.size * images.shape[1]))
    found = []
    for start in range(0, len(images), size):
        steps_first = images[start : start + size].transpose(1, 0, 2)
        blanks = steps_first[:, :, blank_index, np.newaxis, np.newaxis]
        found.append(_forward(blanks, steps_first[:, :, padded], padded, lengths))
    return np.concatenate(found)


def _padded(labels: Sequence[Sequence[int]], blank_index: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the labels (labels, longest), padded with blanks, and their lengths."""
    lengths = np.array([*map(len, labels)])
    padded = np.full((len(labels), lengths.max()), blank_index)
    for row, label in zip(padded, labels, strict=True):
        row[: len(label)] = label
    return padded, lengths


def _forward(
    blanks: NDArray[np.floating],
    emissions: NDArray[np.floating],
    padded: NDArray[np.intp],
    lengths: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Compute the forward variables of all steps.

    Args:
        blanks: (steps, …, labels or 1, 1), probabilities of the blank.
        emissions: (steps, …, labels, longest), probabilities of each character of each label.
        padded: the labels as classes, (labels, longest).
        lengths: of the labels.

    Returns:
        (…, labels).
    """
    # Equal neighbours need a blank between them.
    differs = np.ones(padded.shape)
    differs[:, 1:] = padded[:, 1:] != padded[:, :-1]
    # Forward variables of each prefix of each text, for its last character and for the blank after it.
    in_character, in_blank = np.zeros((2, *emissions.shape[1:-1], padded.shape[1] + 1))
    in_blank[..., 0] = 1.0
    for blank, characters in zip(blanks, emissions, strict=True):
        starts = in_character[..., :-1] * differs
        starts += in_blank[..., :-1]
        in_blank += in_character
        in_blank *= blank
        in_character[..., 1:] += starts
        in_character[..., 1:] *= characters
    rows = np.arange(len(lengths))
    return np.minimum(in_character[..., rows, lengths] + in_blank[..., rows, lengths], 1.0)
