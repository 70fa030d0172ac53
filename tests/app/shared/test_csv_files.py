"""CSV that is safe in other programs."""

import csv
import io

import pytest

from app.shared.csv_files import with_formula, without_formula, write_rows


def written(rows: list[list[object]], delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    write_rows(file, rows, delimiter=delimiter)
    return file.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_rows_are_read_back(delimiter: str) -> None:
    rows = [["a,b", 'c"d', "e\nf"], ["g\rh", "i\tj", ""], ["k", "l", "m"]]
    text = written(list(map(list, rows)), delimiter)
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)) == rows


def test_only_rows_with_a_bare_cr_are_quoted() -> None:
    assert written([["a\rb", 1.5], ["c", 2]]) == '"a\rb","1.5"\nc,2\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_formulas_are_prefixed_with_an_apostrophe(text: str) -> None:
    assert without_formula(text) == f"'{text}"
    assert with_formula(f"'{text}") == text


@pytest.mark.parametrize("text", ["1+1=", "a", "", "'", "'a", "2-1"])
def test_other_texts_are_unchanged(text: str) -> None:
    assert without_formula(text) == with_formula(text) == text
