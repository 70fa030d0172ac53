"""Normalisation of labels."""

import pytest

from training.data.labels import clean, hidden_character


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        (" x\u00a0", "x"),
        ("a b\n", "a b"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u200f\u05d0\u05d1\u200e", "\u05d0\u05d1"),
        ("\u2067\u05d0\u2069", "\u05d0"),
        ("", ""),
    ],
)
def test_a_label_is_normalised_to_what_an_image_can_show(typed: str, label: str) -> None:
    assert clean(typed) == label


@pytest.mark.parametrize(("label", "hidden"), [("a\nb", "\n"), ("a\u2028b", "\u2028"), ("a b", None), ("\u05d0", None)])
def test_characters_that_no_image_can_show_are_found(label: str, hidden: str | None) -> None:
    assert hidden_character(label) == hidden
