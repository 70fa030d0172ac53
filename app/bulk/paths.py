"""Early refusal of paths and globs that name no image."""

import os
from collections.abc import Iterable

from app.bulk.job import BulkError
from app.inference.images.formats import SUFFIXES
from app.inference.images.paths import MAGIC, expand, fixed_part, in_words, other_files
from app.shared.suggestions import did_you_mean


def check_paths(arguments: Iterable[str]) -> None:
    """Raise `BulkError` if a path of a command line does not exist, or a glob or a folder contains no image."""
    for argument in arguments:
        if next(expand(argument), None) is None:
            if os.path.lexists(argument):
                others = in_words(other_files(argument)) or "nothing"
                raise BulkError(f"{argument} contains no files ending in {', '.join(SUFFIXES)}, but {others}.")
            if MAGIC.search(argument):
                raise BulkError(f"No image matches {argument}.{did_you_mean(fixed_part(argument))}")
            raise BulkError(f"There is no file or folder {argument}.{did_you_mean(argument)}")
