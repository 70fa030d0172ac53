"""Which files a command line means: files, folders and globs, always in the same order."""

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
"""The names in a folder whose path ends with a slash, sorted, those of folders with a slash behind; None if it cannot
be listed."""


def image_paths(arguments: Iterable[str]) -> Iterator[str]:
    """Yield the paths of a command line's images, of which never more than one folder's are in memory.

    A file is taken whatever its name. Of folders, and folders within them, come the files whose names end as
    `SUFFIXES` do, in either case and sorted by name; hidden ones do not, nor what is behind links to folders.
    A glob that the shell has left alone stands for files that end so and for folders; `**` for any number of
    folders. A folder that cannot be listed comes itself, for whoever tries to read it to tell.
    """
    for argument in arguments:
        yield from expand(argument)


def expand(argument: str) -> Iterator[str]:
    """Yield the paths of the images that one argument stands for; none if it is not there or matches nothing."""
    if os.path.lexists(argument):
        yield from walk(argument.rstrip("/") + "/", _names) if Path(argument).is_dir() else (argument,)
    elif MAGIC.search(argument):
        fixed = fixed_part(argument)
        folder = str(fixed).rstrip("/") + "/" if fixed.parts else ""
        if fixed.is_dir():
            yield from match(folder, Path(argument).parts[len(fixed.parts) :], _names)


def is_image(name: str) -> bool:
    """Return whether a file's name ends as those of images do."""
    return name.lower().endswith(SUFFIXES)


def other_files(folder: str) -> dict[str, int]:
    """Return the files in a folder, and folders within it, that no images come from; hidden ones do not count.

    Returns:
        How many there are of each ending, such as ".svg", most frequent first.
    """
    below = walk(folder.rstrip("/") + "/", _names, lambda name: not is_image(name))
    return dict(Counter(PurePath(path).suffix.lower() for path in below).most_common())


def in_words(others: Mapping[str, int]) -> str:
    """Return what `other_files` has counted: "120 .svg files and 1 file without an ending"."""
    kinds = [
        f"{count:,} {ending or ''}{' ' if ending else ''}file{'' if count == 1 else 's'}"
        f"{'' if ending else ' without an ending'}"
        for ending, count in others.items()
    ]
    return " and ".join(filter(None, [", ".join(kinds[:-1]), *kinds[-1:]]))


def fixed_part(glob: str) -> Path:
    """Return the folder in which all that a glob matches lies."""
    return Path(*fixed_parts(Path(glob).parts))


def fixed_parts(parts: Iterable[str]) -> list[str]:
    """Return those parts of a glob before the first that stands for several names."""
    return list(takewhile(lambda part: not MAGIC.search(part), parts))


def walk(folder: str, list_names: Names, wanted: Callable[[str], bool] = is_image) -> Iterator[str]:
    """Yield the images in a folder, whose path ends with a slash, or those of its files whose names are wanted."""
    names = list_names(folder)
    if names is None:
        yield folder.rstrip("/")
    for name in names or ():
        if name.endswith("/"):
            yield from walk(folder + name, list_names, wanted)
        elif wanted(name):
            yield folder + name


def match(folder: str, parts: Sequence[str], list_names: Names) -> Iterator[str]:
    """Yield the images in a folder that a glob's parts match; the folder's path ends with a slash or is empty."""
    start = _skip_stars(parts, {0})
    yield from (
        walk(folder or "./", list_names) if len(parts) in start else _match_from(folder, parts, start, list_names)
    )


def _match_from(folder: str, parts: Sequence[str], places: set[int], list_names: Names) -> Iterator[str]:
    """Yield the same for a folder that is reached at several places of the glob, so that no image comes twice."""
    names = list_names(folder)
    if names is None:
        yield folder.rstrip("/")
    for name in names or ():
        matching = {place for place in places if parts[place] == "**" or fnmatchcase(name.rstrip("/"), parts[place])}
        reached = _skip_stars(parts, {place + (parts[place] != "**") for place in matching})
        whole = len(parts) in reached
        if name.endswith("/") and reached:
            yield from (
                walk(folder + name, list_names) if whole else _match_from(folder + name, parts, reached, list_names)
            )
        elif whole and is_image(name):
            yield folder + name


def _skip_stars(parts: Sequence[str], places: set[int]) -> set[int]:
    """Return these places of a glob and those behind each `**`, which may stand for no folder at all."""
    reached = set(places)
    for place, part in enumerate(parts):
        if place in reached and part == "**":
            reached.add(place + 1)
    return reached


def _names(folder: str) -> list[str] | None:
    """Return the names in a folder of this machine."""
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not entry.name.startswith(".")
            )
    except OSError:
        return None
