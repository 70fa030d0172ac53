"""Characters that few labels happen not to show."""

import string
from collections import Counter
from collections.abc import Sequence

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
