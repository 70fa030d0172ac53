"""Characters of any script in matplotlib's pictures, without a font of our own."""

import unicodedata

from matplotlib.font_manager import FontProperties, findfont, get_font

FONT = ["DejaVu Sans Mono", "DejaVu Sans"]
"""Come with matplotlib; the second has what the first lacks. In them 0 and O, 1 and l differ."""
WEIGHTS = ("normal", "bold")
"""What is wrong is written in bold, for which the fonts have fewer characters."""
EM = 0.602
"""How wide a character of the first font is, in font sizes."""


def shown(character: str) -> str:
    """Return how a character is written in a picture.

    Returns:
        The character, or its code point, such as U+4E2D, where the fonts lack it or it would not be seen alone.
    """
    visible = character.isprintable() and not character.isspace() and not unicodedata.combining(character)
    return character if visible and _has_glyph(character) else f"U+{ord(character):04X}"


def shown_text(text: str, longest: int) -> str:
    """Return how a text is written in a picture: "(nothing)" if it is empty, cut to so many characters."""
    characters = [shown(character) for character in text]
    alone = all(len(character) == 1 for character in characters)
    written = ("" if alone else " ").join(characters) or "(nothing)"
    return written if len(written) <= longest else written[: max(1, longest - 1)] + "…"


def _has_glyph(character: str) -> bool:
    fonts = [[get_font(findfont(FontProperties(family=name, weight=weight))) for name in FONT] for weight in WEIGHTS]
    return all(any(font.get_char_index(ord(character)) for font in of_weight) for of_weight in fonts)
