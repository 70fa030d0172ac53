"""Characters of any script in pictures, and where their texts go."""

import itertools
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from training.evaluation.lettering import FONT, WEIGHTS, shown, shown_text, spread

characters = st.characters(exclude_categories=["Cs"])


def draw(*texts: str) -> None:
    """Draw texts in every weight; matplotlib warns where a glyph is missing, and warnings are errors."""
    figure = Figure(figsize=(1, 1))
    for text, weight in itertools.product(texts, WEIGHTS):
        figure.text(0, 0, text, fontfamily=FONT, fontweight=weight, parse_math=False)
    figure.savefig(BytesIO(), format="png")


@pytest.mark.parametrize("character", ["a", "0", "$", "é", "Ж", "א", "✗"])
def test_what_the_fonts_have_is_shown_as_it_is(character: str) -> None:
    assert shown(character) == character


@pytest.mark.parametrize(
    ("character", "code_point"), [("中", "U+4E2D"), (" ", "U+0020"), ("\n", "U+000A"), ("\u0301", "U+0301")]
)
def test_what_cannot_be_seen_is_shown_as_its_code_point(character: str, code_point: str) -> None:
    assert shown(character) == code_point


@given(st.text(characters, max_size=8))
def test_no_text_makes_matplotlib_warn_of_a_missing_glyph(text: str) -> None:
    draw(shown_text(text, 40))


def test_only_what_the_fonts_have_in_every_weight_is_shown_as_it_is() -> None:
    fonts = [get_font(findfont(FontProperties(family=name))) for name in FONT]
    every = sorted({chr(code) for font in fonts for code in font.get_charmap()})
    alone = [character for character in every if shown(character) == character]
    assert 5_000 < len(alone) < len(every)
    for start in range(0, len(alone), 500):
        draw("".join(alone[start : start + 500]))


def test_what_they_have_not_in_bold_is_shown_as_its_code_point() -> None:
    assert shown("𝖠") == "U+1D5A0"
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
def test_texts_are_written_within_their_room(text: str, longest: int, written: str) -> None:
    assert shown_text(text, longest) == written


@given(st.lists(st.floats(-2, 12), min_size=1, max_size=10))
def test_texts_that_are_spread_do_not_overlap_nor_leave_their_room(middles: list[float]) -> None:
    places = spread(sorted(middles), 1.0, 0.0, 10.0)
    assert all(after - before >= 1 - 1e-9 for before, after in itertools.pairwise(places))
    assert places[0] >= 0.5 - 1e-9
    assert places[-1] <= 9.5 + 1e-9


def test_texts_that_have_room_stay_where_they_are() -> None:
    assert spread([1.0, 2.0, 5.0], 1.0, 0.0, 10.0) == pytest.approx([1, 2, 5])


@given(st.lists(st.floats(3, 7), min_size=3, max_size=3).map(sorted))
def test_texts_move_as_little_as_possible(middles: list[float]) -> None:
    def moved(places: list[float]) -> float:
        return float(np.square(np.subtract(places, middles)).sum())

    least = moved(spread(middles, 1.0, 0.0, 10.0))
    for step in np.random.default_rng(0).normal(0, 0.3, (200, 3)):
        other = np.add(spread(middles, 1.0, 0.0, 10.0), step)
        if np.diff(other).min() >= 1:
            assert least <= moved(other.tolist()) + 1e-9
