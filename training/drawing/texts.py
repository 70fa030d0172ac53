"""Random texts of the kinds that short texts in pictures have."""

import string
from collections.abc import Callable

import numpy as np

SIGNS = "+-×=?.,:/#%&@*()"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase + SIGNS
"""The characters that the general model reads."""
AMBIGUOUS = "0Oo1lI"
"""Characters that look alike in many typefaces; codes of digits and letters usually avoid them."""
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwxz", "aeiouy"


def random_text(rng: np.random.Generator) -> str:
    """Return a text of one to twelve characters of `ALPHABET`: codes, numbers, sums, readings, plates or words."""
    return _pick(rng, _KINDS)(rng)


def random_digits(rng: np.random.Generator, minimum: int, maximum: int) -> str:
    """Return a random number of digits within the bounds; a third of the time with leading zeros, as on meters."""
    count = int(rng.integers(minimum, maximum + 1))
    zeros = int(rng.integers(0, count)) if rng.random() < 0.3 else 0
    return "0" * zeros + _of(string.digits, count - zeros, rng)


def random_reading(rng: np.random.Generator) -> str:
    """Return a number as on a display, usually with a decimal point, sometimes with a colon or a sign."""
    text = random_digits(rng, 2, 7)
    kind = rng.random()
    if kind < 0.6:
        at = int(rng.integers(1, len(text)))
        text = f"{text[:at]}{rng.choice(['.', '.', ','])}{text[at:]}"
    elif kind < 0.67:
        text = f"{random_digits(rng, 2, 2)}:{random_digits(rng, 2, 2)}"
    return f"-{text}" if rng.random() < 0.08 else text


def _code(alphabet: str) -> Callable[[np.random.Generator], str]:
    def draw(rng: np.random.Generator) -> str:
        mixed = not (alphabet.isdigit() or alphabet.isalpha())
        known = "".join(c for c in alphabet if c not in AMBIGUOUS) if mixed and rng.random() < 0.7 else alphabet
        # Codes often use only part of the alphabet, so characters repeat more often than by chance.
        chosen = known if rng.random() < 0.6 else _of(known, int(rng.integers(3, 12)), rng)
        return _of(chosen, int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 10], p=_LENGTHS)), rng)

    return draw


_LENGTHS = [0.02, 0.03, 0.08, 0.29, 0.2, 0.2, 0.08, 0.07, 0.03]


def _sum(rng: np.random.Generator) -> str:
    sign = rng.choice(list("+-x×*/:"), p=[0.31, 0.33, 0.13, 0.13, 0.04, 0.03, 0.03])
    left, right = rng.integers(0, (100, 100) if rng.random() < 0.4 else (10, 10))
    return f"{left}{sign}{right}{rng.choice(['', '=', '=?'], p=[0.1, 0.5, 0.4])}"


def _plate(rng: np.random.Generator) -> str:
    form = rng.choice(["LLDDLLL", "LLLDDDD", "LDDDLL", "LL-DDD-LL", "DDDDLLL", "LL-L-DDDD", "DLLDDDD", "LLL-DDD"])
    return "".join(
        _of(string.ascii_uppercase if c == "L" else string.digits, 1, rng) if c in "LD" else str(c) for c in form
    )


def _word(rng: np.random.Generator) -> str:
    """Return pronounceable syllables, capitalised like a name or not."""
    text = "".join(
        str(rng.choice(list(_CONSONANTS))) + str(rng.choice(list(_VOWELS))) for _ in range(rng.integers(2, 5))
    )
    if rng.random() < 0.5:
        text += str(rng.choice(list(_CONSONANTS)))
    text = text.capitalize() if rng.random() < 0.6 else text.upper() if rng.random() < 0.3 else text
    return f"{text[:2]}-{text[2:]}" if rng.random() < 0.06 else text


def _signs(rng: np.random.Generator) -> str:
    characters = list(_of(string.ascii_letters + string.digits, int(rng.integers(2, 6)), rng))
    for _ in range(rng.integers(1, 3)):
        characters.insert(int(rng.integers(0, len(characters) + 1)), _of(SIGNS, 1, rng))
    return "".join(characters)


def _of(alphabet: str, count: int, rng: np.random.Generator) -> str:
    return "".join(alphabet[index] for index in rng.integers(len(alphabet), size=count))


def _pick(
    rng: np.random.Generator, weighted: tuple[tuple[float, Callable[[np.random.Generator], str]], ...]
) -> Callable[[np.random.Generator], str]:
    at = rng.random() * sum(weight for weight, _ in weighted)
    for weight, kind in weighted:
        at -= weight
        if at < 0:
            return kind
    return weighted[-1][1]


_UPPER, _LOWER = string.ascii_uppercase, string.ascii_lowercase
_KINDS: tuple[tuple[float, Callable[[np.random.Generator], str]], ...] = (
    (0.22, _code(string.digits)),
    (0.13, _code(_UPPER + string.digits)),
    (0.12, _code(_LOWER + string.digits)),
    (0.11, _code(_UPPER)),
    (0.1, _code(_LOWER)),
    (0.12, _code(_UPPER + _LOWER + string.digits)),
    (0.04, _code(_UPPER + _LOWER)),
    (0.12, _sum),
    (0.05, random_reading),
    (0.05, _word),
    (0.03, _plate),
    (0.015, _signs),
)
