"""Texts with any characters in Markdown tables."""

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
def test_any_text_becomes_a_code_cell(text: str, cell: str) -> None:
    assert code_cell(text) == cell
