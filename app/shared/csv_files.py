"""CSV that is safe in other programs: cells with a bare CR are quoted, formulas are escaped."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Characters that start a formula in spreadsheets (OWASP, "CSV Injection")."""


def write_rows(file: Any, rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> None:
    r"""Write rows that end with \n to a text file opened with `newline=""`."""
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    # The csv module does not quote a bare CR, which ends a row in other programs.
    quoting = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        has_return = any("\r" in cell for cell in row if isinstance(cell, str))
        (quoting if has_return else writer).writerow(row)


def without_formula(text: str) -> str:
    """Return the text, prefixed with an apostrophe if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def with_formula(text: str) -> str:
    """Undo `without_formula`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text
