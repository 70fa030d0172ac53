"""Model store: a folder of `<name>/<version>/{model.onnx, configs.yaml}`."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.inference.models.folders import misnamed_folders, model_folders, printable, version_folders
from app.inference.models.integrity import SUMS_FILE
from app.inference.models.model import MODEL_FILE, ImageToTextModel, ModelError, model_sums
from app.inference.models.trial import end_trials, load_tried
from app.shared.files import FileError, read_file

METRICS_FILE = "metrics.json"
MAX_METRICS_BYTES = 16_000_000
MISNAMED = "invalid name: use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', starting with a letter or digit"
WITHOUT_VERSION = "its files are not in a version folder: move them into <name>/<version>/, such as {name}/1/"


class UnknownModelError(Exception):
    """The model or version is not loaded; the message lists the loaded ones."""


@dataclass(frozen=True)
class StoredModel:
    """Loaded model."""

    name: str
    version: str
    model: ImageToTextModel
    metrics: dict[str, Any]
    """Content of `metrics.json`; empty without one."""


@dataclass(frozen=True)
class BrokenModel:
    """Folder of the store that could not be loaded."""

    name: str
    version: str
    """Empty if the folder of all versions is meant."""
    reason: str
    kept: bool
    """Whether its previously loaded state is still served."""


class Changes(NamedTuple):
    """Result of loading a store."""

    loaded: list[StoredModel]
    """New or changed versions."""
    unchanged: list[StoredModel]
    dropped: list[StoredModel]
    """Versions whose folders are gone."""
    broken: list[BrokenModel]


class ModelStore:
    """Loaded models of a store folder; read-only.

    Attributes:
        default_model: name of the model for requests that name none.
        models: name → version → model, names sorted, versions newest first.
        broken: folders that could not be loaded.

    Raises:
        OSError: if the folder cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        default_model: str,
        default_sha256: str | None = None,
        *,
        before: "ModelStore | None" = None,
        is_stopping: Callable[[], bool] = bool,
    ) -> None:
        """Load the models.

        Args:
            folder: of the store.
            default_model: name of the model for requests that name none.
            default_sha256: checksum of the `SHA256SUMS` of the only version of the default model to load; None for any.
            before: previous store. Unchanged versions, and those that can no longer be loaded, are taken from it.
            is_stopping: returns whether to give up loading.
        """
        self._is_stopping = is_stopping
        self._default_sha256 = default_sha256
        self.default_model = default_model
        self.models: dict[str, dict[str, StoredModel]] = {}
        self.broken: list[BrokenModel] = []
        loaded = before.models if before else {}
        try:
            for path in model_folders(folder):
                self._load_versions(path, loaded.get(path.name, {}))
        finally:
            end_trials()
        for path in misnamed_folders(folder) if folder.is_dir() else ():
            self.broken.append(BrokenModel(printable(path.name), "", MISNAMED, kept=False))
        if default_model in loaded and default_model not in self.models:
            self._keep_newest(loaded[default_model])

    def _load_versions(self, folder: Path, loaded: Mapping[str, StoredModel]) -> None:
        try:
            versions, misnamed = version_folders(folder), misnamed_folders(folder)
            has_no_version = (folder / MODEL_FILE).exists()
        except OSError as error:
            reason = f"the folder cannot be read: {error.strerror}"
            self.broken.append(BrokenModel(folder.name, "", reason, kept=bool(loaded)))
            if loaded:
                self.models[folder.name] = dict(loaded)
            return
        for path in versions:
            stored = loaded.get(path.name)
            try:
                stored = self._load_version(path, stored)
            except ModelError as error:
                self.broken.append(BrokenModel(folder.name, path.name, str(error), kept=stored is not None))
            if stored:
                self.models.setdefault(folder.name, {})[path.name] = stored
        self.broken += [BrokenModel(folder.name, printable(path.name), MISNAMED, kept=False) for path in misnamed]
        if has_no_version:
            self.broken.append(BrokenModel(folder.name, "", WITHOUT_VERSION.format(name=folder.name), kept=False))

    def _load_version(self, folder: Path, loaded: StoredModel | None) -> StoredModel:
        """Load a version, or reuse the loaded network if none of its files has changed."""
        sums = model_sums(folder)
        unchanged = loaded and loaded.model.sums == sums
        self._check_default(folder, sums)
        metrics = _read_metrics(folder)
        model = loaded.model if loaded and unchanged else load_tried(folder, self._is_stopping)
        self._check_default(folder, model.sums)  # the files may have changed meanwhile
        return StoredModel(folder.parent.name, folder.name, model, metrics)

    def _check_default(self, folder: Path, sums: Mapping[str, str]) -> None:
        """Refuse a version of the default model with another checksum than `default_sha256`."""
        expected = self._default_sha256 if folder.parent.name == self.default_model else None
        if expected is not None and sums.get(SUMS_FILE) != expected:
            actual = f"is {sums[SUMS_FILE]}" if SUMS_FILE in sums else "is missing"
            raise ModelError(f"the SHA-256 of its {SUMS_FILE} should be {expected}, but {actual}")

    def _keep_newest(self, versions: Mapping[str, StoredModel]) -> None:
        """Keep the newest version whose folder is gone, so that the default model is not lost by mistake."""
        stored = next(iter(versions.values()))
        self.broken.append(BrokenModel(stored.name, stored.version, "the folder is gone", kept=True))
        self.models = dict(sorted({**self.models, stored.name: {stored.version: stored}}.items()))

    def __iter__(self) -> Iterator[StoredModel]:
        """Return an iterator over all versions of all models."""
        return (stored for versions in self.models.values() for stored in versions.values())

    def get(self, name: str | None = None, version: str | None = None) -> StoredModel:
        """Return a model by name (default: the default model) and version (default: the newest).

        Raises:
            UnknownModelError: if it is not loaded.
        """
        versions = self.models.get(name or self.default_model)
        if not versions:
            known = ", ".join(self.models) or "none"
            raise UnknownModelError(f"No such model is loaded. Loaded models: {known}.")
        if version is None:
            return next(iter(versions.values()))
        if version not in versions:
            raise UnknownModelError(f"No such version is loaded. Loaded versions: {', '.join(versions)}.")
        return versions[version]


def compare(before: ModelStore | None, after: ModelStore) -> Changes:
    """Return the changes between two states of a store; without an earlier one, all models are new."""
    known = {(stored.name, stored.version): stored for stored in before or ()}
    there = {(stored.name, stored.version): stored for stored in after}
    failed = {(broken.name, broken.version) for broken in after.broken}
    same = {key for key, stored in there.items() if key in known and known[key].model is stored.model}
    return Changes(
        loaded=[stored for key, stored in there.items() if key not in same],
        unchanged=[stored for key, stored in there.items() if key in same - failed],
        dropped=[stored for key, stored in known.items() if key not in there],
        broken=after.broken,
    )


def _read_metrics(folder: Path) -> dict[str, Any]:
    path = folder / METRICS_FILE
    if not path.exists():
        return {}
    try:
        metrics = json.loads(read_file(path, MAX_METRICS_BYTES))
    except FileError as error:
        raise ModelError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{METRICS_FILE} is not a JSON file") from error
    if not isinstance(metrics, dict):
        raise ModelError(f"{METRICS_FILE} must contain an object")
    return metrics
