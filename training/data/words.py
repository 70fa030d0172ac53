"""Counts and names in messages."""

from collections.abc import Sequence

MAX_SHOWN = 3


def counted(number: int, what: str) -> str:
    """Return a number of things, such as "1 label" or "1,040 labels"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str]) -> str:
    """Return the first names and, if there are more, an ellipsis."""
    return ", ".join(names[:MAX_SHOWN]) + (" …" if len(names) > MAX_SHOWN else "")
