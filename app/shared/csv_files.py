"""CSV as other programs read it: a bare CR does not end a row, and spreadsheets calculate nothing."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the start of a formula (OWASP, "CSV Injection")."""


def write_rows(file: Any, rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> None:
    r"""Write rows, each ended by \n, into a text file that was opened with `newline=""`."""
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    # The writer quotes only what ends its own rows; a bare CR ends those of other programs.
    quoting = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        has_return = any("\r" in cell for cell in row if isinstance(cell, str))
        (quoting if has_return else writer).writerow(row)


def without_formula(text: str) -> str:
    """Return a text that no spreadsheet calculates: with an apostrophe before it where it looks like a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def with_formula(text: str) -> str:
    """Return the text that `without_formula` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text
