"""Suggestions of existing paths similar to a missing one."""

import os
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

MAX_NEIGHBOURS = 10_000
"""Maximum entries read per folder: an error message must not take seconds."""


def did_you_mean(path: str | os.PathLike[str]) -> str:
    """Return " Did you mean …?" for the end of a message; empty if the path exists or nothing is similar.

    Each missing part is replaced by the most similar name in its folder, up to the last part that has one.
    """
    found, replaced = Path(), False
    for part in Path(path).parts:
        if not os.path.lexists(found / part):
            similar = get_close_matches(part, _names(found), n=1)
            if not similar:
                break
            part, replaced = similar[0], True  # noqa: PLW2901
        found /= part
    return f" Did you mean {found}?" if replaced else ""


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MAX_NEIGHBOURS)]
    except OSError:
        return []
    # Sorted, so that ties resolve the same way everywhere; unprintable names help nobody.
    return sorted(name for name in names if name.isprintable())
