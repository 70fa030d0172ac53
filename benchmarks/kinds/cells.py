"""What is measured: one kind, read by one reader. What has been measured is kept and not measured again."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from benchmarks.common import PEERS_PYTHON, ROOT, run_quietly
from benchmarks.kinds.folders import Kind
from benchmarks.kinds.processes import Processors, run_on
from benchmarks.kinds.scores import Score, score
from training.dataset import Sample, write_csv
from training.files import write_atomically

PEERS = ("ddddocr", "rapidocr")
NONE = "0"
"""Labels: nothing is trained, the general model reads."""
RESULT = "result.json"
LEARNT_WITH = ("training", "app/inference", "model_store/general")
LEARNT_WITH_FILES = {".py", ".npz", ".onnx", ".yaml"}
SHOW_VERSION = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"


class Network(TypedDict):
    """What a training chose, as far as the model's folder says; `bytes` are those of model.onnx."""

    architecture: str | None
    weights: int | None
    input: str | None
    bytes: int


class Result(TypedDict, total=False):
    """What came of a cell; `error` and nothing else where it failed."""

    score: Score
    texts: list[str]
    """Of the test images, in their order."""
    milliseconds: float
    """An image, from the bytes of its file to the text, on one thread: the median."""
    minutes: float
    """That the training command took."""
    processors: int
    """That it had."""
    network: Network
    model: str
    error: str


@dataclass(frozen=True)
class Cell:
    """One kind and what reads it.

    Attributes:
        kind: of image.
        reader: a number of labels, "all", or the name of a peer.
        version: of what reads, or learns to: results of another are not used.
        place: the folder for the result and what leads to it.
    """

    kind: Kind
    reader: str
    version: str
    place: Path

    @property
    def name(self) -> str:
        """For people."""
        what = self.reader if self.reader in PEERS else f"{self.reader} labels"
        return f"{self.kind.name}, {what}"


def make_cells(kinds: Sequence[Kind], readers: Iterable[tuple[str, str]], folder: Path) -> list[Cell]:
    """A cell for each kind and each reader, given as (name, version)."""
    places = {kind.name: folder / kind.name / kind.checksum[:12] for kind in kinds}
    return [
        Cell(kind, reader, version, places[kind.name] / f"{reader}-{version}")
        for reader, version in readers
        for kind in kinds
    ]


def stored_result(cell: Cell) -> Result | None:
    """What came of a cell before."""
    file = cell.place / RESULT
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


async def measure(cell: Cell, processors: Processors, model: Path, train_options: Sequence[str]) -> Result:
    """Train if the cell asks for it, read the test images, and keep the result.

    Args:
        cell: what to measure; what an interrupted run left in its place is removed.
        processors: the commands run on these.
        model: the folder of the model that reads without labels.
        train_options: that the training command knows, of those that are not for every version of it.

    Raises:
        BenchmarkError: a command failed.
    """
    shutil.rmtree(cell.place, ignore_errors=True)
    cell.place.mkdir(parents=True)
    if cell.reader in PEERS:
        result = await _read_by_peer(cell, processors)
    elif cell.reader == NONE:
        result = await _read_by_model(cell, processors, model)
    else:
        minutes = await _train(cell, processors, train_options)
        result = await _read_by_model(cell, processors, cell.place / "model")
        result |= Result(minutes=minutes, processors=len(processors))
    with write_atomically(cell.place / RESULT) as file:
        json.dump(result, file, indent=1, ensure_ascii=False)
    return result


def training_version() -> str:
    """A checksum of what trainings depend on: code, and weights to start from."""
    digest = hashlib.sha256()
    for folder in LEARNT_WITH:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in LEARNT_WITH_FILES:
                digest.update(path.relative_to(ROOT).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def model_version(folder: Path) -> str:
    """A checksum of a model's folder."""
    digest = hashlib.sha256()
    for name in ("model.onnx", "configs.yaml"):
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:12]


def peer_version(name: str) -> str:
    """Of the package that is installed.

    Raises:
        BenchmarkError: it is not.
    """
    return run_quietly([str(PEERS_PYTHON), "-c", SHOW_VERSION, name]).strip()


async def _train(cell: Cell, processors: Processors, options: Sequence[str]) -> float:
    """Minutes that the training command took; it writes the folder `model`."""
    labelled = cell.kind.labelled(cell.reader)
    data = cell.place / "labels.csv"
    write_csv([Sample(sample.path.absolute(), sample.label) for sample in labelled], data)
    command: list[str | Path] = [sys.executable, "-m", "training", "train", "--data", data]
    command += ["--output", cell.place / "model", "--run-dir", cell.place / "run"]
    rest = cell.kind.pool[len(labelled) :]
    if rest and "--unlabelled" in options:
        command += ["--unlabelled", _link(rest, cell.place / "unlabelled")]
    started = time.perf_counter()
    await run_on(processors, command)
    return (time.perf_counter() - started) / 60


async def _read_by_model(cell: Cell, processors: Processors, model: Path) -> Result:
    """Read the test images with `training evaluate`; time each by itself."""
    test = cell.kind.test
    data, report = cell.place / "test.csv", cell.place / "evaluation.json"
    write_csv([Sample(sample.path.absolute(), sample.label) for sample in test], data)
    command: list[str | Path] = [sys.executable, "-m", "training", "evaluate", "--model", model, "--data", data]
    await run_on(processors, [*command, "--json", report])
    wrong = {line["path"]: line["prediction"] for line in json.loads(report.read_text(encoding="utf-8"))["wrong"]}
    texts = [wrong.get(sample.path.absolute().as_posix(), sample.label) for sample in test]
    command = [sys.executable, "-m", "benchmarks.peers.reader", "ours", "--model", model]
    timed = json.loads(await run_on(processors, command, _paths(test)))
    return Result(
        score=score([sample.label for sample in test], texts),
        texts=texts,
        milliseconds=timed["milliseconds"],
        network=_network(model),
        model=model.as_posix(),
    )


async def _read_by_peer(cell: Cell, processors: Processors) -> Result:
    command = [str(PEERS_PYTHON), "-m", "benchmarks.peers.reader", cell.reader]
    read: dict[str, Any] = json.loads(await run_on(processors, command, _paths(cell.kind.test)))
    labels = [sample.label for sample in cell.kind.test]
    return Result(score=score(labels, read["texts"]), texts=read["texts"], milliseconds=read["milliseconds"])


def _network(model: Path) -> Network:
    size = (model / "model.onnx").stat().st_size
    try:
        said = json.loads((model / "metrics.json").read_text(encoding="utf-8"))["model"]
    except FileNotFoundError:  # made by others
        return Network(architecture=None, weights=None, input=None, bytes=size)
    shape = f"{said['width']}×{said['height']}×{said['channels']}"
    return Network(architecture=said["architecture"], weights=said["weights"], input=shape, bytes=size)


def _link(samples: Sequence[Sample], folder: Path) -> Path:
    """Make a folder of links to images, numbered in their order, so that no name says what is in one."""
    folder.mkdir()
    for number, sample in enumerate(samples):
        (folder / f"{number:06}{sample.path.suffix}").symlink_to(sample.path.absolute())
    return folder


def _paths(samples: Sequence[Sample]) -> str:
    return "\n".join(str(sample.path.absolute()) for sample in samples)
