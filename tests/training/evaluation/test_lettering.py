"""Characters of any script in plots, and lengths of texts."""

import itertools
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from training.evaluation.lettering import FONT, WEIGHTS, printable, printable_text

characters = st.characters(exclude_categories=["Cs"])


def draw(*texts: str) -> None:
    """Draw texts in every weight; matplotlib warns about missing glyphs, and warnings are errors."""
    figure = Figure(figsize=(1, 1))
    for text, weight in itertools.product(texts, WEIGHTS):
        figure.text(0, 0, text, fontfamily=FONT, fontweight=weight, parse_math=False)
    figure.savefig(BytesIO(), format="png")


@pytest.mark.parametrize("character", ["a", "0", "$", "é", "Ж", "א", "✗"])
def test_characters_in_the_fonts_are_shown_unchanged(character: str) -> None:
    assert printable(character) == character


@pytest.mark.parametrize(
    ("character", "code_point"), [("中", "U+4E2D"), (" ", "U+0020"), ("\n", "U+000A"), ("\u0301", "U+0301")]
)
def test_invisible_characters_are_shown_as_code_points(character: str, code_point: str) -> None:
    assert printable(character) == code_point


@given(st.text(characters, max_size=8))
def test_no_text_has_a_missing_glyph(text: str) -> None:
    draw(printable_text(text, 40))


def test_only_characters_in_all_weights_are_shown_unchanged() -> None:
    fonts = [get_font(findfont(FontProperties(family=name))) for name in FONT]
    every = sorted({chr(code) for font in fonts for code in font.get_charmap()})
    alone = [character for character in every if printable(character) == character]
    assert 5_000 < len(alone) < len(every)
    for start in range(0, len(alone), 500):
        draw("".join(alone[start : start + 500]))


def test_characters_missing_in_bold_are_shown_as_code_points() -> None:
    assert printable("𝖠") == "U+1D5A0"
    with pytest.warns(UserWarning, match="Glyph 120224"):
        draw("𝖠")


@pytest.mark.parametrize(
    ("text", "longest", "written"),
    [
        ("ab12", 4, "ab12"),
        ("ab123", 4, "ab1…"),
        ("", 20, "(nothing)"),
        ("a中", 20, "a U+4E2D"),
    ],
)
def test_texts_are_shortened_to_fit(text: str, longest: int, written: str) -> None:
    assert printable_text(text, longest) == written
