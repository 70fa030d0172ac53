"""Jobs and results of bulk reading, with light imports for a process that only distributes the work."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.inference.decoding.sums import Evaluation
from app.inference.models.folders import MAX_FILE_BYTES, model_folders, version_folders
from app.shared.errors import UserError
from app.shared.files import FileError, sha256_of_file

CHUNK = 128
"""Images that are read and written at a time; enough to make the overhead per chunk negligible."""


class BulkError(UserError):
    """The images cannot be read as asked; the message says why."""


@dataclass(frozen=True)
class Job:
    """Options for reading images and writing rows."""

    model: Path
    """Folder of a model version."""
    max_bytes: int
    max_pixels: int
    max_side: int
    layout: Literal["json", "tabs"]
    length: int | None = None
    charset: str | None = None
    pattern: str | None = None
    alternatives: int = 0
    evaluate: Evaluation | None = None
    min_confidence: float | None = None

    @property
    def columns(self) -> list[str]:
        """Return the fields of a row, in order."""
        return [
            *("path", "text", "confidence", "character_confidences"),
            *(["alternatives"] if self.alternatives else []),
            *([] if self.evaluate is None else ["value", "value_confidence"]),
            *([] if self.min_confidence is None else ["accepted"]),
            "error",
        ]


class Chunk(NamedTuple):
    """Results of several images."""

    rows: bytes
    """Lines in the job's layout, UTF-8."""
    images: int
    errors: list[str]
    """Line for each image that could not be read."""


def find_model(store: Path, name: str, version: str | None) -> Path:
    """Return the folder of a model's version, by default the newest.

    Raises:
        BulkError: if the store has no such model or version.
    """
    try:
        models = {path.name: path for path in model_folders(store)}
        if name not in models:
            raise BulkError(f"There is no model {name} in {store}. Available: {', '.join(models) or 'none'}.")
        versions = {path.name: path for path in version_folders(models[name])}
    except OSError as error:
        raise BulkError(f"The models cannot be listed: {error}.") from error
    if version is None and versions:
        return next(iter(versions.values()))
    if version not in versions:
        which = "version" if version is None else f"version {version}"
        raise BulkError(f"There is no {which} of {name}. Available: {', '.join(versions) or 'none'}.")
    return versions[version]


def describe(job: Job) -> dict[str, Any]:
    """Return the properties that two runs must share to write rows to the same file.

    Raises:
        BulkError: if the model cannot be read.
    """
    files = ("model.onnx", "configs.yaml")
    try:
        checksums = {f"sha256 of {name}": sha256_of_file(job.model / name, MAX_FILE_BYTES) for name in files}
    except FileError as error:
        raise BulkError(f"{job.model}: {error}.") from error
    options = {key: value for key, value in asdict(job).items() if key not in {"model", "layout"}}
    return {"model": job.model.parent.name, "version": job.model.name} | checksums | options
