"""Evaluation of sums such as `10-2=`, for one text and for several candidate texts of an image."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from operator import itemgetter
from typing import Literal, NamedTuple

Evaluation = Literal["sum"]
"""Supported evaluations of a text."""

MAX_CHARACTERS = 64
"""Maximum length of a sum, which also limits the numbers and the nesting of parentheses."""
LARGEST = 2**53 - 1
"""Largest integer that is exact in all JSON implementations (RFC 8259, section 6)."""
SIGNS = {"+": "+＋", "-": "-−–－", "*": "*×xX＊", "/": "/÷:／：", "(": "(（", ")": ")）", "=": "=＝", "?": "?？"}
"""Characters accepted for each sign."""

_SIGN_OF = {character: sign for sign, characters in SIGNS.items() for character in characters}
_SUM = re.compile(r"([\d\s()*/+-]+)(?:=\s*\??|\?)?\s*")
_TOKEN = re.compile(r"\d+|[()*/+-]")
_OPERATION = re.compile(r"[\d)]\s*[*/+-]")

Exact = int | Fraction


class Sum(NamedTuple):
    """Value of the sum in an image."""

    value: int | None
    """None if no candidate text is a sum with a value, see `value_of`."""
    confidence: float
    """Probability of the value, summed over the texts that have it, 0…1; 0 without a value."""


def most_probable_sum(texts: Iterable[tuple[str, float]]) -> Sum:
    """Return the most probable value of texts with probabilities, summed over texts of equal value."""
    confidences: defaultdict[int, float] = defaultdict(float)
    for text, confidence in texts:
        value = value_of(text)
        if value is not None:
            confidences[value] += confidence
    most_probable, confidence = max(confidences.items(), key=itemgetter(1), default=(None, 0.0))
    return Sum(most_probable, min(confidence, 1.0))


def value_of(text: str) -> int | None:
    """Return the exact value of a sum such as `10-2=`, `(3 + 4) × 5 = ?` or `٦÷٢`.

    Digits of any script are accepted. Products bind tighter than sums; evaluation is from left to right. The first
    number of the sum, and of each pair of parentheses, may have a sign.

    Returns:
        None if the text is not a sum (a number alone is not), or the value is not an integer within ±`LARGEST`.
    """
    found = _SUM.fullmatch("".join(map(_plain, text))) if len(text) <= MAX_CHARACTERS else None
    if found is None or not _OPERATION.search(found[1]):
        return None
    tokens = ["", *reversed(_TOKEN.findall(found[1]))]  # popped from the end
    try:
        value = _expression(tokens)
    except (ValueError, ZeroDivisionError):
        return None
    if tokens != [""] or value.denominator != 1 or abs(value.numerator) > LARGEST:
        return None
    return value.numerator


def _plain(character: str) -> str:
    """Convert a digit or sign to ASCII; return other characters unchanged."""
    digit = unicodedata.decimal(character, None)
    return _SIGN_OF.get(character, character) if digit is None else str(digit)


def _expression(tokens: list[str]) -> Exact:
    """Evaluate products that are added and subtracted.

    Raises:
        ValueError: if the syntax is invalid.
        ZeroDivisionError: if it divides by 0.
    """
    value: Exact = 0
    sign = _take(tokens, "+-") or "+"
    while sign:
        product = _product(tokens)
        value = value + product if sign == "+" else value - product
        sign = _take(tokens, "+-")
    return value


def _product(tokens: list[str]) -> Exact:
    value = _factor(tokens)
    while sign := _take(tokens, "*/"):
        factor = _factor(tokens)
        value = value * factor if sign == "*" else Fraction(value, factor)
    return value


def _factor(tokens: list[str]) -> Exact:
    if not _take(tokens, "("):
        return int(tokens.pop())
    value = _expression(tokens)
    if not _take(tokens, ")"):
        raise ValueError("a parenthesis is not closed")
    return value


def _take(tokens: list[str], wanted: str) -> str:
    """Take and return the next token if it is among the wanted signs; otherwise return ""."""
    return tokens.pop() if tokens[-1] and tokens[-1] in wanted else ""
