"""Texts of any characters in tables."""

import pytest

from training.evaluation.markdown import code_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("ab", "`ab`"),
        ("", "nothing"),
        ("a|b", r"`a\|b`"),
        ("`", "`` ` ``"),
        ("a``b", "``` a``b ```"),
    ],
)
def test_any_text_is_a_cell_of_code(text: str, cell: str) -> None:
    assert code_cell(text) == cell
