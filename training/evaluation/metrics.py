"""Character and word error rates."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from rapidfuzz.distance import Levenshtein


def character_errors(label: str, prediction: str) -> int:
    """Return the least number of insertions, deletions and substitutions between two texts (Levenshtein, 1966)."""
    return Levenshtein.distance(label, prediction)


def character_error_rate(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """Return the CER: character errors over the labels' characters, all texts together; over 1 if much too long."""
    errors = sum(character_errors(*pair) for pair in zip(labels, predictions, strict=True))
    return errors / max(1, sum(map(len, labels)))


def word_error_rate(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """Return the WER: the part of the texts that are not read exactly, 0…1; an image's text is one word."""
    wrong = sum(label != prediction for label, prediction in zip(labels, predictions, strict=True))
    return wrong / max(1, len(labels))


def aligned(label: str, prediction: str) -> list[tuple[str, str]]:
    """Pair the characters of two texts with the fewest errors.

    Returns:
        (character of the label, what was read), in order; "" stands for a character that was missed or that is
        not there.
    """
    pairs: list[tuple[str, str]] = []
    for part in Levenshtein.opcodes(label, prediction):
        wanted, got = label[part.src_start : part.src_end], prediction[part.dest_start : part.dest_end]
        pairs.extend(zip_longest(wanted, got, fillvalue=""))
    return pairs


def confusions(labels: Sequence[str], predictions: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return what was taken for what, most frequent first.

    Returns:
        (character of the label, what was read, how often); "" stands for a character that was missed or that
        is not there.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for texts in zip(labels, predictions, strict=True):
        counts.update((wanted, got) for wanted, got in aligned(*texts) if wanted != got)
    return [
        (wanted, got, count) for (wanted, got), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
