"""Helpers for Markdown reports."""

import re
from collections.abc import Iterable, Sequence

CONFUSIONS_EXPLAINED = (
    "Rows are characters of the labels, columns what was read: correct on the blue diagonal, wrong in orange cells."
)
RELIABILITY_EXPLAINED = """\
Points on the dotted line are well calibrated; below it, confidences are too high. Longer vertical lines mean fewer
words."""


def code_cell(text: str) -> str:
    """Return a text as code for a table cell, with all characters escaped; "nothing" if it is empty."""
    if not text:
        return "nothing"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", r"\|")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; "" if it has no rows."""
    cells = [list(map(str, row)) for row in rows]
    lines = [header, ["---"] * len(header), *cells] if cells else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processors(count: int) -> str:
    """Return a number of processors in words."""
    return "1 processor" if count == 1 else f"{count} processors"
