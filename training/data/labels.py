"""Labels as they are learnt, whatever was typed around them."""

import re
import unicodedata

INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of controls, halves of surrogate pairs, and separators of lines and paragraphs."""
DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""The characters of Unicode's property Bidi_Control: they tell programs where text runs, and no image shows them."""


def clean(text: str) -> str:
    """Return a label composed (NFC), without spaces around it and without marks of direction.

    File systems and keyboards spell é in two ways; labels have one.
    """
    return unicodedata.normalize("NFC", DIRECTION_MARKS.sub("", text).strip())


def hidden_character(label: str) -> str | None:
    """Return the first character of a label that no image of one line shows, such as a line break; None if none."""
    return next((character for character in label if unicodedata.category(character) in INVISIBLE), None)
