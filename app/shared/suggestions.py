"""Suggestions of existing paths similar to a missing one."""

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

MAX_NEIGHBOURS = 10_000
"""Maximum entries read per folder: an error message must not take seconds."""


def did_you_mean(path: str | os.PathLike[str]) -> str:
    """Return " Did you mean …?" for the end of a message; empty if the path exists or nothing is similar."""
    nearest = nearest_path(Path(path))
    return f" Did you mean {nearest}?" if nearest else ""


def nearest_path(path: Path) -> Path | None:
    """Return the path with each missing part replaced by the most similar name in that folder.

    Returns:
        The path up to the last part with a similar name; None if nothing was replaced.
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
    # Sorted, so that ties resolve the same way everywhere; unprintable names help nobody.
    return sorted(name for name in names if name.isprintable())
