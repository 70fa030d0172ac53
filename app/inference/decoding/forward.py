"""The probability of a text: the sum over all its alignments, by the forward variables of Graves et al. (ICML 2006).

Computed without logarithms: a prefix of a path is never less likely than the path, so what underflows to 0 could not
have been seen in the sum.
"""

import itertools
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_NUMBERS = 1_000_000
"""So many probabilities are held at a time."""

Columns = dict[int, list[float]]
"""The probabilities of some classes, by class, at each step."""


def probability_of_label(label: Sequence[int], columns: Columns, blank_index: int) -> float:
    """The probability of one text, in plain numbers: of few characters at few steps, NumPy takes longer."""
    blanks = columns[blank_index]
    # Of what has been seen of the text so far, after each step: that shows the last character, or a blank after it.
    shown, parted = [0.0] * len(blanks), list(itertools.accumulate(blanks, operator.mul))
    before = blank_index
    for symbol in label:
        # Equal characters must be parted.
        starts = parted if symbol == before else map(operator.add, shown, parted)
        seen, then_parted = 0.0, 0.0
        shown, parted, coming = [], [], [float(before == blank_index), *starts]
        for start, likely, nothing in zip(coming, columns[symbol], blanks, strict=False):
            then_parted = (then_parted + seen) * nothing
            seen = (seen + start) * likely
            shown.append(seen)
            parted.append(then_parted)
        before = symbol
    return min(shown[-1] + parted[-1], 1.0)


def probabilities_of_labels(
    labels: Sequence[Sequence[int]], images: Sequence[NDArray[np.floating]], blank_index: int
) -> NDArray[np.float64]:
    """The probabilities of long texts, or of many, all at once, step by step.

    Args:
        labels: texts as classes.
        images: for each text, the probabilities (steps, classes) of its image; all have the same steps.
        blank_index: the class of the blank.

    Returns:
        (labels,); to the bit what `probability_of_label` says of each.
    """
    found = np.empty(len(labels))
    longest = max(map(len, labels), default=0)
    size = max(1, MOST_NUMBERS // (longest * len(images[0]))) if longest else max(1, len(labels))
    for start in range(0, len(labels), size):
        stop = start + size
        found[start:stop] = _probabilities_together(labels[start:stop], images[start:stop], blank_index)
    return found


def probabilities_of_all(
    labels: Sequence[Sequence[int]], images: NDArray[np.floating], blank_index: int
) -> NDArray[np.float64]:
    """The probabilities of all of some texts in each of some images.

    Args:
        labels: texts as classes, none of them empty.
        images: probabilities (images, steps, classes).
        blank_index: the class of the blank.

    Returns:
        (images, labels).
    """
    padded, lengths = _padded(labels, blank_index)
    size = max(1, MOST_NUMBERS // (padded.size * images.shape[1]))
    found = []
    for start in range(0, len(images), size):
        steps_first = images[start : start + size].transpose(1, 0, 2)
        blanks = steps_first[:, :, blank_index, np.newaxis, np.newaxis]
        found.append(_forward(blanks, steps_first[:, :, padded], padded, lengths))
    return np.concatenate(found)


def _probabilities_together(
    labels: Sequence[Sequence[int]], images: Sequence[NDArray[np.floating]], blank_index: int
) -> NDArray[np.float64]:
    padded, lengths = _padded(labels, blank_index)
    likely = np.empty((len(images[0]), *padded.shape))
    blanks = np.empty((len(images[0]), len(labels), 1))
    for row, image in enumerate(images):
        likely[:, row] = image.take(padded[row], axis=1)
        blanks[:, row, 0] = image[:, blank_index]
    return _forward(blanks, likely, padded, lengths)


def _padded(labels: Sequence[Sequence[int]], blank_index: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The labels (labels, longest), filled up with blanks, and their lengths."""
    lengths = np.array([*map(len, labels)])
    padded = np.full((len(labels), lengths.max()), blank_index)
    for row, label in zip(padded, labels, strict=True):
        row[: len(label)] = label
    return padded, lengths


def _forward(
    blanks: NDArray[np.floating],
    likely: NDArray[np.floating],
    padded: NDArray[np.intp],
    lengths: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Go through the steps.

    Args:
        blanks: (steps, …, labels or 1, 1), the probability of the blank.
        likely: (steps, …, labels, longest), that of each character of each label.
        padded: the labels as classes, (labels, longest).
        lengths: of the labels.

    Returns:
        (…, labels).
    """
    # Equal characters must be parted.
    differs = np.ones(padded.shape)
    differs[:, 1:] = padded[:, 1:] != padded[:, :-1]
    # Of what has been seen of each text so far, from nothing to all of it: that shows the last character, or a blank
    # after it.
    shown, parted = np.zeros((2, *likely.shape[1:-1], padded.shape[1] + 1))
    parted[..., 0] = 1.0
    for blank, characters in zip(blanks, likely, strict=True):
        starts = shown[..., :-1] * differs
        starts += parted[..., :-1]
        parted += shown
        parted *= blank
        shown[..., 1:] += starts
        shown[..., 1:] *= characters
    rows = np.arange(len(lengths))
    return np.minimum(shown[..., rows, lengths] + parted[..., rows, lengths], 1.0)
