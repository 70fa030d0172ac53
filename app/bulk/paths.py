"""Paths and globs that name no image are refused before anything is read."""

import os
from collections.abc import Iterable

from app.bulk.job import BulkError
from app.inference.images.paths import MAGIC, expand, fixed_part
from app.shared.suggestions import did_you_mean


def check_paths(arguments: Iterable[str]) -> None:
    """Look whether there is what a command line names.

    Raises:
        BulkError: a path does not exist, or a glob matches no image.
    """
    for argument in arguments:
        if not os.path.lexists(argument) and next(expand(argument), None) is None:
            if MAGIC.search(argument):
                raise BulkError(f"No image matches {argument}.{did_you_mean(fixed_part(argument))}")
            raise BulkError(f"There is no file or folder {argument}.{did_you_mean(argument)}")
