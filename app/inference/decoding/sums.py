"""The value of a sum that an image shows, such as `10-2=`: of a text, and of all the texts that it may be."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from operator import itemgetter
from typing import Literal, NamedTuple

Evaluation = Literal["sum"]
"""What can be worked out from a text."""

MAX_CHARACTERS = 64
"""Of a sum; bounds the numbers too, and how deep parentheses are."""
LARGEST = 2**53 - 1
"""Up to here, all programs that read JSON have exact whole numbers (RFC 8259, section 6)."""
SIGNS = {"+": "+＋", "-": "-−–－", "*": "*×xX＊", "/": "/÷:／：", "(": "(（", ")": ")）", "=": "=＝", "?": "?？"}
"""The characters that each sign is written with."""

_SIGN_OF = {character: sign for sign, characters in SIGNS.items() for character in characters}
_SUM = re.compile(r"([\d\s()*/+-]+)(?:=\s*\??|\?)?\s*")
_TOKEN = re.compile(r"\d+|[()*/+-]")
_OPERATION = re.compile(r"[\d)]\s*[*/+-]")

Exact = int | Fraction


class Sum(NamedTuple):
    """What the sum in an image comes to."""

    value: int | None
    """None: none of the texts that were found is a sum with a value, see `value_of`."""
    confidence: float
    """The probability of the value, summed over the texts that have it, 0…1; 0 where there is none."""


def most_probable_sum(texts: Iterable[tuple[str, float]]) -> Sum:
    """Return the value to which texts, each with its probability, give the most probability together."""
    confidences: defaultdict[int, float] = defaultdict(float)
    for text, confidence in texts:
        value = value_of(text)
        if value is not None:
            confidences[value] += confidence
    most_probable, confidence = max(confidences.items(), key=itemgetter(1), default=(None, 0.0))
    return Sum(most_probable, min(confidence, 1.0))


def value_of(text: str) -> int | None:
    """Return the value of a sum such as `10-2=`, `(3 + 4) × 5 = ?` or `٦÷٢`, worked out exactly.

    Digits may be those of any script. Products come before sums, otherwise the order is from the left. A sign may stand
    before the first number of the whole and of parentheses.

    Returns:
        None for what is no sum, which a number alone is not either, and where the value is no whole number or beyond
        ±`LARGEST`.
    """
    found = _SUM.fullmatch("".join(map(_plain, text))) if len(text) <= MAX_CHARACTERS else None
    if found is None or not _OPERATION.search(found[1]):
        return None
    tokens = ["", *reversed(_TOKEN.findall(found[1]))]  # taken from the end
    try:
        value = _expression(tokens)
    except (ValueError, ZeroDivisionError):
        return None
    if tokens != [""] or value.denominator != 1 or abs(value.numerator) > LARGEST:
        return None
    return value.numerator


def _plain(character: str) -> str:
    """Return a digit or sign as ASCII has it, another character as it is."""
    digit = unicodedata.decimal(character, None)
    return _SIGN_OF.get(character, character) if digit is None else str(digit)


def _expression(tokens: list[str]) -> Exact:
    """Take products that are added and subtracted.

    Raises:
        ValueError: something else stands there.
        ZeroDivisionError: it divides by 0.
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
    """Take the next token if it is one of some signs; otherwise return ""."""
    return tokens.pop() if tokens[-1] and tokens[-1] in wanted else ""
