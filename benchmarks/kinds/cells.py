"""Cells of the measurement: one kind, read by one reader. Results are stored and reused."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from app.shared.files import write_atomically
from benchmarks.common import PEERS_PYTHON, ROOT, run_quietly
from benchmarks.figures import BenchmarkError
from benchmarks.kinds.folders import Kind
from benchmarks.kinds.processes import Processors, run_on
from benchmarks.kinds.scores import Score, score
from training.data.dataset import Sample, write_csv

PEERS = ("ddddocr", "rapidocr")
NONE = "0"
"""The value of labels for no training: the general model reads."""
RESULT = "result.json"
TRAINING_CODE = ("training", "app/inference", "model_store/general")
COUNTED_FILES = {".py", ".npz", ".onnx", ".yaml"}
DIGITS = 12
"""Number of checksum digits in folder names."""
SHOW_VERSION = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"


class Network(TypedDict):
    """The network of a training, according to its model folder; `bytes` is the size of model.onnx."""

    architecture: str | None
    weights: int | None
    input: str | None
    bytes: int


class Result(TypedDict, total=False):
    """The result of a cell; failed cells have only `error`."""

    score: Score
    texts: list[str]
    """Readings of the test images, in order."""
    milliseconds: float | None
    """Median time per image on one thread, from file content to text; None if no image could be opened."""
    minutes: float
    """Duration of the training command."""
    processors: int
    """Number of processors of the training command."""
    network: Network
    model: str
    error: str


@dataclass(frozen=True)
class Cell:
    """One kind and its reader.

    Attributes:
        kind: the kind of image.
        reader: a number of labels, "all", or the name of a peer.
        version: version of the reader or of the training code; results of other versions are not used.
        place: absolute path of the folder for the result and its intermediate files.
    """

    kind: Kind
    reader: str
    version: str
    place: Path

    @property
    def model(self) -> Path:
        """The folder of the trained model."""
        return self.place / "model"

    @property
    def name(self) -> str:
        """The cell's name, for people."""
        what = self.reader if self.reader in PEERS else f"{self.reader} labels"
        return f"{self.kind.name}, {what}"


@dataclass(frozen=True)
class Readers:
    """Sources of the readers.

    Attributes:
        general: absolute path of the model folder that reads without labels.
        train_options: options of the training command, besides data and folders.
        code: a name for the training code; None uses a checksum of it.
    """

    general: Path
    train_options: list[str]
    code: str | None = None

    def version(self, reader: str) -> str:
        """Return a version of everything a reader's results depend on besides the images.

        Raises:
            BenchmarkError: the peer is unknown.
        """
        if reader in PEERS:
            return run_quietly([str(PEERS_PYTHON), "-c", SHOW_VERSION, reader]).strip()
        if reader == NONE:
            return _checksum([self.general, ROOT / "app" / "inference"])
        options = json.dumps(self.train_options)
        return self.code or _checksum([ROOT / folder for folder in TRAINING_CODE], options)


def make_cells(kinds: Sequence[Kind], names: Iterable[str], readers: Readers, folder: Path) -> list[Cell]:
    """Return a cell for each named reader and each kind, with results in the folder.

    Raises:
        BenchmarkError: a peer is unknown.
    """
    places = {kind.name: folder.absolute() / kind.name / kind.checksum[:DIGITS] for kind in kinds}
    versions = {name: readers.version(name) for name in names}
    return [
        Cell(kind, name, version, places[kind.name] / f"{name}-{version}")
        for name, version in versions.items()
        for kind in kinds
    ]


def stored_result(cell: Cell) -> Result | None:
    """Return the stored result of a cell, if any."""
    file = cell.place / RESULT
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


async def measure(cell: Cell, processors: Processors, readers: Readers) -> Result:
    """Train if necessary, read the test images, and store the result.

    Args:
        cell: the cell to measure; remains of an interrupted run are removed.
        processors: processors for the commands.
        readers: sources of the readers.

    Raises:
        BenchmarkError: a command failed, or the reader has changed since the cell was created.
    """
    shutil.rmtree(cell.place, ignore_errors=True)
    cell.place.mkdir(parents=True)
    if cell.reader in PEERS:
        result = await _read_by_peer(cell, processors)
    elif cell.reader == NONE:
        result = await _read_by_model(cell, processors, readers.general)
    else:
        minutes = await _train(cell, processors, readers)
        result = await _read_by_model(cell, processors, cell.model)
        result |= Result(minutes=minutes, processors=len(processors))
    if readers.version(cell.reader) != cell.version:
        raise BenchmarkError("the code or the model has changed; run the command again")
    with write_atomically(cell.place / RESULT) as file:
        json.dump(result, file, indent=1, ensure_ascii=False)
    return result


def _checksum(folders: Iterable[Path], text: str = "") -> str:
    """Return a checksum of a text and of the code, settings and weights in some folders."""
    digest = hashlib.sha256(text.encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in COUNTED_FILES:
                digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


async def _train(cell: Cell, processors: Processors, readers: Readers) -> float:
    """Train into the folder `model`, and return the minutes taken."""
    labelled = cell.kind.labelled(cell.reader)
    data = cell.place / "labels.csv"
    write_csv(labelled, data)
    command: list[str | Path] = [sys.executable, "-m", "training", "train", "--data", data]
    command += ["--output", cell.model, "--run-dir", cell.place / "run", *readers.train_options]
    rest = cell.kind.pool[len(labelled) :]
    if rest:
        command += ["--unlabelled", _link(rest, cell.place / "unlabelled")]
    started = time.perf_counter()
    await run_on(processors, command)
    return (time.perf_counter() - started) / 60


async def _read_by_model(cell: Cell, processors: Processors, model: Path) -> Result:
    """Read the test images with `training evaluate`; time each separately."""
    test = cell.kind.test
    data, report = cell.place / "test.csv", cell.place / "evaluation.json"
    write_csv(test, data)
    command: list[str | Path] = [sys.executable, "-m", "training", "evaluate", "--model", model, "--data", data]
    await run_on(processors, [*command, "--json", report])
    wrong = {line["path"]: line["prediction"] for line in json.loads(report.read_text(encoding="utf-8"))["wrong"]}
    texts = [wrong.get(sample.path.as_posix(), sample.label) for sample in test]
    command = [sys.executable, "-m", "benchmarks.peers.reader", "ours", "--model", model]
    timed = json.loads(await run_on(processors, command, text=_paths(test)))
    return Result(
        score=score([sample.label for sample in test], texts),
        texts=texts,
        milliseconds=timed["milliseconds"],
        network=_network(model),
        model=model.as_posix(),
    )


async def _read_by_peer(cell: Cell, processors: Processors) -> Result:
    command = [str(PEERS_PYTHON), "-m", "benchmarks.peers.reader", cell.reader]
    read: dict[str, Any] = json.loads(await run_on(processors, command, text=_paths(cell.kind.test)))
    labels = [sample.label for sample in cell.kind.test]
    return Result(score=score(labels, read["texts"]), texts=read["texts"], milliseconds=read["milliseconds"])


def _network(model: Path) -> Network:
    size = (model / "model.onnx").stat().st_size
    try:
        said = json.loads((model / "metrics.json").read_text(encoding="utf-8"))["model"]
    except FileNotFoundError:  # not made by our training
        return Network(architecture=None, weights=None, input=None, bytes=size)
    shape = f"{said['width']}×{said['height']}×{said['channels']}"
    return Network(architecture=said["architecture"], weights=said["weights"], input=shape, bytes=size)


def _link(samples: Sequence[Sample], folder: Path) -> Path:
    """Create a folder of numbered links to images, so that no file name reveals a label."""
    folder.mkdir()
    for number, sample in enumerate(samples):
        (folder / f"{number:06}{sample.path.suffix}").symlink_to(sample.path)
    return folder


def _paths(samples: Sequence[Sample]) -> str:
    return "\n".join(str(sample.path) for sample in samples)
