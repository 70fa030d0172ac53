"""What the reports in Markdown share."""

import re
from collections.abc import Iterable, Sequence

CONFUSIONS_EXPLAINED = (
    "A row is a character of the labels, a column what was read: right on the blue diagonal, wrong in the orange cells."
)
RELIABILITY_EXPLAINED = """\
Points on the dotted line are as they should be; below it, confidences promise too much. The longer a vertical line,
the fewer words there are to tell from."""


def code_cell(text: str) -> str:
    """Return a text as code in a cell of a table, whatever characters it has; "nothing" if it is empty."""
    if not text:
        return "nothing"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", r"\|")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; nothing where it has no rows."""
    cells = [list(map(str, row)) for row in rows]
    lines = [header, ["---"] * len(header), *cells] if cells else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processors(count: int) -> str:
    """Return how many processors, in words."""
    return "1 processor" if count == 1 else f"{count} processors"
