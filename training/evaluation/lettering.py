"""Characters of any script in matplotlib's pictures, without a font of our own."""

import unicodedata
from collections.abc import Sequence

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


def spread(middles: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move points as little as possible (least squares) so that texts of one width do not overlap.

    Args:
        middles: where the points would be, ascending.
        gap: the least distance between two of them, of which half is kept from the ends.
        low: the lower end.
        high: the upper end; all gaps must fit between the two.

    Returns:
        A place for each point, in the same order.
    """
    # Less their share of the gaps, places need only ascend: isotonic regression, by pooling adjacent violators.
    pools: list[tuple[float, int]] = []
    for index, middle in enumerate(middles):
        mean, count = middle - index * gap, 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean, count = (mean * count + before * size) / (count + size), count + size
        pools.append((mean, count))
    ascending = [mean for mean, count in pools for _ in range(count)]
    least, most = low + gap / 2, high - gap / 2 - (len(middles) - 1) * gap
    return [min(max(place, least), most) + index * gap for index, place in enumerate(ascending)]


def _has_glyph(character: str) -> bool:
    return all(_has_glyph_of(weight, character) for weight in WEIGHTS)


def _has_glyph_of(weight: str, character: str) -> bool:
    fonts = (get_font(findfont(FontProperties(family=name, weight=weight))) for name in FONT)
    return any(font.get_char_index(ord(character)) for font in fonts)
