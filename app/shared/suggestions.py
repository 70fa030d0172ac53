"""What was meant by a path that is not there."""

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

MAX_NEIGHBOURS = 10_000
"""Looked at in a folder: an error message must not take seconds."""


def did_you_mean(path: str | os.PathLike[str]) -> str:
    """For the end of an error's message: " Did you mean …?", or nothing if the path is there or nothing is like it."""
    nearest = nearest_path(Path(path))
    return f" Did you mean {nearest}?" if nearest else ""


def nearest_path(path: Path) -> Path | None:
    """Return the path with each part that is not there replaced by the most similar name beside it.

    Returns:
        The path as far as there are similar names; None if nothing was replaced.
    """
    found, replaced = Path(), False
    for part in path.parts:
        if not os.path.lexists(found / part):
            similar = get_close_matches(part, _names(found), n=1)
            if not similar:
                break
            part, replaced = similar[0], True  # noqa: PLW2901
        found /= part
    return found if replaced else None


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MAX_NEIGHBOURS)]
    except OSError:
        return []
    # Sorted, so that of equally similar names the same is taken everywhere; what cannot be printed helps nobody.
    return sorted(name for name in names if name.isprintable())
