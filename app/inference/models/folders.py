"""Folders of a model store, `<name>/<version>/`, without loading the models.

Those that list folders raise `OSError` if one cannot be read.
"""

import re
from pathlib import Path

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Maximum size of a file of a version."""
VALID_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def model_folders(store: Path) -> list[Path]:
    """Return the folders of the models, sorted by name; empty without a store."""
    return sorted(_subfolders(store)) if store.is_dir() else []


def version_folders(model: Path) -> list[Path]:
    """Return the folders of a model's versions, newest first; empty without the model."""
    versions = _subfolders(model) if model.is_dir() else []
    return sorted(versions, key=lambda path: _natural_order(path.name), reverse=True)


def misnamed_folders(folder: Path) -> list[Path]:
    """Return the folders in a store or a model's folder that contain a model but have an invalid name.

    Hidden folders are excluded: they may be incomplete copies.
    """
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and not VALID_NAME.fullmatch(path.name) and path.is_dir() and _has_model(path)
    ]


def printable(name: str) -> str:
    """Return a folder name, which may be any bytes, with unprintable characters replaced."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)


def _has_model(folder: Path) -> bool:
    """Return whether a folder or one of its subfolders contains a model."""
    try:
        return any(next(folder.glob(pattern), None) for pattern in ("*.onnx", "*/*.onnx"))
    except OSError:
        return False


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and VALID_NAME.fullmatch(path.name)]


def _natural_order(version: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 10 after 9, and 202611231200 after 202511231200."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", version)]
