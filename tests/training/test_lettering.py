"""Characters of any script in pictures, and where their texts go."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from training.lettering import FONT, shown, shown_text, spread

characters = st.characters(exclude_categories=["Cs"])


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
    figure = Figure(figsize=(1, 1))
    figure.text(0, 0, shown_text(text, 40), fontfamily=FONT, parse_math=False)
    figure.canvas.draw()  # warnings are errors


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
