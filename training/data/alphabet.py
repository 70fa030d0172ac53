"""The alphabet of labels: characters that few of them lack, or show rarely, by chance."""

import string
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from app.inference.decoding.shapes import shape_of

ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


def unseen_characters(labels: Sequence[str]) -> dict[str, float]:
    """Return the characters that the labels lack but other images probably show, with their expected frequency.

    If some characters of an alphabet occur once, images that are not labelled probably show others of it. The
    expected number of these in as many labels is that of the characters seen once (Good, "The population frequencies
    of species", Biometrika, 1953). All unseen characters of the alphabet share it equally.
    """
    counts = Counter("".join(labels))
    unseen: dict[str, float] = {}
    for alphabet in ALPHABETS:
        missing = [character for character in alphabet if not counts[character]]
        seen_once = sum(counts[character] == 1 for character in alphabet)
        if seen_once:
            unseen |= dict.fromkeys(missing, seen_once / max(1, len(missing)))
    return unseen


def expected_counts(counts: Mapping[str, float]) -> dict[str, float]:
    """Return the expected numbers of characters in other labels, from those in some labels.

    Differences that chance explains are dropped: the counts of digits, of lower-case and of upper-case letters are each
    shrunk towards their mean (James and Stein, "Estimation with Quadratic Loss", 1961, for Poisson counts).
    """
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for character in counts:
        kinds[shape_of(character)].append(character)
    expected: dict[str, float] = {}
    for characters in kinds.values():
        seen = np.array([counts[character] for character in characters], float)
        mean, variance = seen.mean(), seen.var()
        beyond_chance = max(0.0, 1 - mean / variance) if variance > 0 else 0.0
        expected |= zip(characters, mean + beyond_chance * (seen - mean), strict=True)
    return expected
