"""What is asked of a bulk reading, and what comes of it: light enough for a process that only hands out the work."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.inference.decoding.sums import Evaluation
from app.inference.models.folders import MAX_FILE_BYTES, model_folders, version_folders
from app.shared.errors import UserError
from app.shared.files import FileError, sha256_of_file

CHUNK = 128
"""Images that are read, and whose rows are written, at a time: enough for what a chunk costs not to matter."""


class BulkError(UserError):
    """Nothing can be read, or not as asked; the message says why."""


@dataclass(frozen=True)
class Job:
    """How images are read, and how rows are written."""

    model: Path
    """The folder of a model's version."""
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
        """The fields of a row, in order."""
        return [
            *("path", "text", "confidence", "character_confidences"),
            *(["alternatives"] if self.alternatives else []),
            *([] if self.evaluate is None else ["value", "value_confidence"]),
            *([] if self.min_confidence is None else ["accepted"]),
            "error",
        ]


class Chunk(NamedTuple):
    """Images that were read."""

    rows: bytes
    """Lines in the job's layout, UTF-8."""
    images: int
    errors: list[str]
    """A line for each image that could not be read."""


def find_model(store: Path, name: str, version: str | None) -> Path:
    """Return the folder of a model's version, the newest if none is given.

    Raises:
        BulkError: the store has no such model or version.
    """
    try:
        models = {path.name: path for path in model_folders(store)}
        if name not in models:
            raise BulkError(f"There is no model {name} in {store}; there are: {', '.join(models) or 'none'}.")
        versions = {path.name: path for path in version_folders(models[name])}
    except OSError as error:
        raise BulkError(f"The models cannot be looked for: {error}.") from error
    if version is None and versions:
        return next(iter(versions.values()))
    if version not in versions:
        which = "version" if version is None else f"version {version}"
        raise BulkError(f"There is no {which} of {name}; there are: {', '.join(versions) or 'none'}.")
    return versions[version]


def describe(job: Job) -> dict[str, Any]:
    """Return all that two runs must have in common for their rows to stand in one file.

    Raises:
        BulkError: the model cannot be read.
    """
    sums = {}
    for name in ("model.onnx", "configs.yaml"):
        try:
            sums[f"sha256 of {name}"] = sha256_of_file(job.model / name, MAX_FILE_BYTES)
        except FileError as error:
            raise BulkError(f"{job.model}: {error}.") from error
    options = {key: value for key, value in asdict(job).items() if key not in {"model", "layout"}}
    return {"model": job.model.parent.name, "version": job.model.name} | sums | options
