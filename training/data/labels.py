"""Normalisation of labels."""

import re
import unicodedata

INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, surrogates, line separators, paragraph separators."""
DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Unicode's Bidi_Control characters, which set the text direction and are invisible in images."""


def clean(text: str) -> str:
    """Return a label in NFC without surrounding spaces and without direction marks.

    File systems and keyboards encode é in two ways; labels need one.
    """
    return unicodedata.normalize("NFC", DIRECTION_MARKS.sub("", text).strip())


def hidden_character(label: str) -> str | None:
    """Return the first character that no single-line image can show, such as a line break; None if there is none."""
    return next((character for character in label if unicodedata.category(character) in INVISIBLE), None)
