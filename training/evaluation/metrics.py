"""Character and word error rates."""

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from rapidfuzz.distance import Levenshtein


def character_errors(label: str, prediction: str) -> int:
    """Return the fewest insertions, deletions and substitutions between two texts (Levenshtein, 1966)."""
    return Levenshtein.distance(label, prediction)


def character_error_rate(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """Return the CER: all character errors over all label characters; above 1 if predictions are much too long."""
    errors = sum(character_errors(*pair) for pair in zip(labels, predictions, strict=True))
    return errors / max(1, sum(map(len, labels)))


def word_error_rate(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """Return the WER: the fraction of texts not read exactly, 0…1; the text of an image is one word."""
    wrong = sum(label != prediction for label, prediction in zip(labels, predictions, strict=True))
    return wrong / max(1, len(labels))


def aligned(label: str, prediction: str) -> list[tuple[str, str]]:
    """Align the characters of two texts with the fewest errors.

    Returns:
        (label character, read character), in order; "" stands for a missing or an extra character.
    """
    pairs: list[tuple[str, str]] = []
    for part in Levenshtein.opcodes(label, prediction):
        wanted, got = label[part.src_start : part.src_end], prediction[part.dest_start : part.dest_end]
        pairs.extend(zip_longest(wanted, got, fillvalue=""))
    return pairs


def confusions(labels: Sequence[str], predictions: Sequence[str]) -> list[tuple[str, str, int]]:
    """Count the pairs of aligned characters that differ.

    Returns:
        (label character, read character, count), most frequent first; "" stands for a missing or an extra character.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for texts in zip(labels, predictions, strict=True):
        counts.update((wanted, got) for wanted, got in aligned(*texts) if wanted != got)
    return [
        (wanted, got, count) for (wanted, got), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
