"""The folders of a model store, <name>/<version>/, without loading what is in them."""

import re
from pathlib import Path

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Of the network, or of any other file of a version."""
VALID_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def model_folders(store: Path) -> list[Path]:
    """Return the folders of the models, by name; none where there is no store.

    Raises:
        OSError: the store cannot be read.
    """
    return sorted(_subfolders(store)) if store.is_dir() else []


def version_folders(model: Path) -> list[Path]:
    """Return the folders of a model's versions, newest first; none where there is no model.

    Raises:
        OSError: the model's folder cannot be read.
    """
    versions = _subfolders(model) if model.is_dir() else []
    return sorted(versions, key=lambda path: _natural_order(path.name), reverse=True)


def misnamed_folders(folder: Path) -> list[Path]:
    """Return the folders in the store, or in that of a model, that hold a model and cannot be used for their name.

    Hidden ones are left out: they may be copied just now.

    Raises:
        OSError: the folder cannot be read.
    """
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and not VALID_NAME.fullmatch(path.name) and path.is_dir() and _has_model(path)
    ]


def shown(name: str) -> str:
    """Return a name as it can be shown and logged: folders may be called by any bytes."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)


def _has_model(folder: Path) -> bool:
    """Return whether a model stands in a folder, or in one of those in it."""
    try:
        return any(next(folder.glob(pattern), None) for pattern in ("*.onnx", "*/*.onnx"))
    except OSError:
        return False


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and VALID_NAME.fullmatch(path.name)]


def _natural_order(version: str) -> list[tuple[int, str]]:
    """So that 10 comes after 9, and 202611231200 after 202511231200."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", version)]
