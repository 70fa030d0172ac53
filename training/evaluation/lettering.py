"""Characters of any script in matplotlib plots, without extra fonts."""

import unicodedata

from matplotlib.font_manager import FontProperties, findfont, get_font

FONT = ["DejaVu Sans Mono", "DejaVu Sans"]
"""Fonts shipped with matplotlib; the second fills gaps in the first. Both distinguish 0 from O and 1 from l."""
WEIGHTS = ("normal", "bold")
"""Errors are bold; the bold fonts have fewer characters."""
EM = 0.602
"""Width of a character of the first font, relative to the font size."""


def printable(character: str) -> str:
    """Return a character as written in a plot.

    Returns:
        The character, or its code point, such as U+4E2D, if the fonts lack it or it is invisible on its own.
    """
    visible = character.isprintable() and not character.isspace() and not unicodedata.combining(character)
    return character if visible and _has_glyph(character) else f"U+{ord(character):04X}"


def printable_text(text: str, longest: int) -> str:
    """Return a text as written in a plot: at most `longest` characters; "(nothing)" if it is empty."""
    characters = [printable(character) for character in text]
    alone = all(len(character) == 1 for character in characters)
    written = ("" if alone else " ").join(characters) or "(nothing)"
    return written if len(written) <= longest else written[: max(1, longest - 1)] + "…"


def _has_glyph(character: str) -> bool:
    fonts = [[get_font(findfont(FontProperties(family=name, weight=weight))) for name in FONT] for weight in WEIGHTS]
    return all(any(font.get_char_index(ord(character)) for font in of_weight) for of_weight in fonts)
