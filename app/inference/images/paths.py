"""Expansion of a command line's files, folders and globs to image paths, in a fixed order."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path, PurePath

from app.inference.images.formats import SUFFIXES

MAGIC = re.compile(r"[*?\[]")
Names = Callable[[str], list[str] | None]
"""Returns the sorted names in a folder, whose path ends with a slash; names of folders also end with one. None if it
cannot be listed."""


def image_paths(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the image paths of a command line, holding at most one folder's names in memory.

    A file is yielded whatever its name. A folder yields the files in it and its subfolders whose names end with one of
    `SUFFIXES` in any case, sorted by name; hidden files and links to folders are skipped. A glob matches such files
    and folders; `**` matches any number of folders. A folder that cannot be listed is yielded itself, so that reading
    it reports the error.
    """
    for argument in arguments:
        yield from expand(argument)


def expand(argument: str) -> Iterator[str]:
    """Yield the image paths of one argument; none if it does not exist or matches nothing."""
    if os.path.lexists(argument):
        yield from walk(argument.rstrip("/") + "/", _names) if Path(argument).is_dir() else (argument,)
    elif MAGIC.search(argument):
        fixed = fixed_part(argument)
        folder = str(fixed).rstrip("/") + "/" if fixed.parts else ""
        if fixed.is_dir():
            yield from match(folder, Path(argument).parts[len(fixed.parts) :], _names)


def is_image(name: str) -> bool:
    """Return whether a file name has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def other_files(folder: str) -> dict[str, int]:
    """Count the files in a folder and its subfolders that are not images, except hidden ones.

    Returns:
        The number of files by suffix, such as ".svg", most frequent first.
    """
    below = walk(folder.rstrip("/") + "/", _names, lambda name: not is_image(name))
    return dict(Counter(PurePath(path).suffix.lower() for path in below).most_common())


def in_words(others: Mapping[str, int]) -> str:
    """Return the counts of `other_files` as text: "120 .svg files and 1 file without a suffix"."""
    kinds = [
        f"{count:,} {ending or ''}{' ' if ending else ''}file{'' if count == 1 else 's'}"
        f"{'' if ending else ' without a suffix'}"
        for ending, count in others.items()
    ]
    return " and ".join(filter(None, [", ".join(kinds[:-1]), *kinds[-1:]]))


def fixed_part(glob: str) -> Path:
    """Return the deepest folder that contains all matches of a glob."""
    return Path(*fixed_parts(Path(glob).parts))


def fixed_parts(parts: Iterable[str]) -> list[str]:
    """Return the parts of a glob before the first one with wildcards."""
    return list(takewhile(lambda part: not MAGIC.search(part), parts))


def walk(folder: str, list_names: Names, wanted: Callable[[str], bool] = is_image) -> Iterator[str]:
    """Yield the files below a folder whose names are `wanted`, by default images; its path ends with a slash."""
    names = list_names(folder)
    if names is None:
        yield folder.rstrip("/")
    for name in names or ():
        if name.endswith("/"):
            yield from walk(folder + name, list_names, wanted)
        elif wanted(name):
            yield folder + name


def match(folder: str, parts: Sequence[str], list_names: Names) -> Iterator[str]:
    """Yield the images in a folder that match a glob's parts; the folder's path ends with a slash or is empty."""
    start = _skip_stars(parts, {0})
    yield from (
        walk(folder or "./", list_names) if len(parts) in start else _match_from(folder, parts, start, list_names)
    )


def _match_from(folder: str, parts: Sequence[str], positions: set[int], list_names: Names) -> Iterator[str]:
    """Yield the same for several positions in the glob at once, so that no image is yielded twice."""
    names = list_names(folder)
    if names is None:
        yield folder.rstrip("/")
    for name in names or ():
        matching = {place for place in positions if parts[place] == "**" or fnmatchcase(name.rstrip("/"), parts[place])}
        reached = _skip_stars(parts, {place + (parts[place] != "**") for place in matching})
        whole = len(parts) in reached
        if name.endswith("/") and reached:
            yield from (
                walk(folder + name, list_names) if whole else _match_from(folder + name, parts, reached, list_names)
            )
        elif whole and is_image(name):
            yield folder + name


def _skip_stars(parts: Sequence[str], positions: set[int]) -> set[int]:
    """Return these positions in a glob and those after each `**`, which may match no folder."""
    reached = set(positions)
    for place, part in enumerate(parts):
        if place in reached and part == "**":
            reached.add(place + 1)
    return reached


def _names(folder: str) -> list[str] | None:
    """Return the names in a local folder."""
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not entry.name.startswith(".")
            )
    except OSError:
        return None
