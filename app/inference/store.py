"""The model store: a folder of `<name>/<version>/{model.onnx, configs.yaml}`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.inference.model import ImageToTextModel, ModelError

METRICS_FILE = "metrics.json"
VALID_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class UnknownModelError(Exception):
    """No such model or version is loaded; the message names those that are."""


@dataclass(frozen=True)
class StoredModel:
    """A model that is loaded and ready."""

    name: str
    version: str
    model: ImageToTextModel
    metrics: dict[str, Any]
    """The content of `metrics.json`, empty where there is none."""


@dataclass(frozen=True)
class BrokenModel:
    """A folder of the store that could not be loaded, and why."""

    name: str
    version: str
    reason: str


class ModelStore:
    """The models of a store folder, loaded once, read only.

    Attributes:
        default_model: the model that is meant where none is named.
        models: name → version → model, names sorted, versions newest first.
        broken: the folders that could not be loaded.
    """

    def __init__(self, folder: Path, default_model: str) -> None:
        self.default_model = default_model
        self.models: dict[str, dict[str, StoredModel]] = {}
        self.broken: list[BrokenModel] = []
        for path in sorted(_subfolders(folder)) if folder.is_dir() else []:
            self._load_versions(path)

    def _load_versions(self, folder: Path) -> None:
        try:
            versions = sorted(_subfolders(folder), key=lambda path: _natural_order(path.name), reverse=True)
        except OSError as error:
            self.broken.append(BrokenModel(folder.name, "", f"the folder cannot be read: {error.strerror}"))
            return
        for path in versions:
            try:
                stored = StoredModel(folder.name, path.name, ImageToTextModel(path), _read_metrics(path))
            except ModelError as error:
                self.broken.append(BrokenModel(folder.name, path.name, str(error)))
            else:
                self.models.setdefault(folder.name, {})[path.name] = stored

    def get(self, name: str | None = None, version: str | None = None) -> StoredModel:
        """A model by name (the default model) and version (the newest).

        Raises:
            UnknownModelError: it is not loaded.
        """
        versions = self.models.get(name or self.default_model)
        if not versions:
            known = ", ".join(self.models) or "none"
            raise UnknownModelError(f"No such model is loaded. Loaded are: {known}.")
        if version is None:
            return next(iter(versions.values()))
        if version not in versions:
            raise UnknownModelError(f"No such version is loaded. Loaded are: {', '.join(versions)}.")
        return versions[version]


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and VALID_NAME.fullmatch(path.name)]


def _natural_order(version: str) -> list[tuple[int, str]]:
    """So that 10 comes after 9, and 202611231200 after 202511231200."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", version)]


def _read_metrics(folder: Path) -> dict[str, Any]:
    path = folder / METRICS_FILE
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{METRICS_FILE} is not a JSON file") from error
    if not isinstance(metrics, dict):
        raise ModelError(f"{METRICS_FILE} must hold an object")
    return metrics
