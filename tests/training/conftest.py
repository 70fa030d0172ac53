"""Drawn images, and one small training shared by the tests of its results."""

import contextlib
import hashlib
import math
import signal
from collections.abc import Callable, Iterator
from functools import partialmethod
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import pytest
from matplotlib.figure import Figure

from app.shared.memory import freeze_objects
from tests.drawn import draw_plain_folder
from tests.locks import locked
from tests.training.data.download_site import IMAGES, Site
from tests.web_server import serving
from training.data import download as downloading
from training.data.dataset import data_checksum, split_samples, vocabulary_of
from training.data.layouts import read_samples
from training.drawing import typefaces as drawn_typefaces
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import Typeface, find_typefaces
from training.exporting import calibration, out_of_distribution
from training.fitting import parallel
from training.fitting.config import TrainingConfig, configure
from training.fitting.run import RunFolder, RunState
from training.pipeline.train import run_training, start_run

FEW = 100


class InterruptedWhenDestroyed:
    """An object whose destructor Ctrl-C interrupts."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def run_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks train without a graph: an epoch of a few steps ends before one would be built."""
    monkeypatch.setattr(keras.Model, "compile", partialmethod(keras.Model.compile, run_eagerly=True))


@pytest.fixture(scope="session", autouse=True)
def quick_trainings() -> Iterator[None]:
    """Calibrate and compare by a tenth of the copies, and begin no second process: each takes as long as a training.

    Exclude TensorFlow's objects from garbage collection, as the commands do.
    """
    freeze_objects()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(calibration, "READINGS", FEW)
        monkeypatch.setattr(out_of_distribution, "COPIES", FEW)
        monkeypatch.setattr(parallel, "MIN_STEPS", math.inf)
        yield


@pytest.fixture(scope="session")
def typefaces() -> list[Typeface]:
    """Return matplotlib's typefaces: the same on every machine, and quickly searched."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(drawn_typefaces, "SYSTEM_FOLDERS", ())
        return find_typefaces(ALPHABET)


@pytest.fixture(scope="session")
def drawn_digits(shared_folder: Path) -> Path:
    """Return a folder of 300 clean images of four digits each."""
    folder = shared_folder / "digits"
    with locked(shared_folder / "training.lock"):
        if not folder.exists():
            draw_plain_folder(folder, 300, seed=1)
    return folder


@pytest.fixture(scope="session")
def prepare_run(drawn_digits: Path) -> Callable[..., RunFolder]:
    """Return a function that creates the folder of a run on the drawn digits, ready for training."""

    def prepare(folder: Path, *, images: int = 300, **options: object) -> RunFolder:
        samples = read_samples(drawn_digits)[:images]
        train, validation = split_samples(samples, 0.1, seed=0)
        config: TrainingConfig = configure(train, {"architecture": "conv_ctc"} | options)
        run = RunFolder(folder / "run")
        state = RunState(
            command="python -m training train",
            data=str(drawn_digits),
            data_sha256=data_checksum(samples),
            output=str(folder / "store" / "digits" / "1"),
            vocab=vocabulary_of(samples),
            config=config,
        )
        start_run(run, state, train, validation)
        return run

    return prepare


@pytest.fixture(scope="session")
def trained_run(prepare_run: Callable[..., RunFolder], shared_folder: Path) -> RunFolder:
    """Return a finished run of three epochs; its model reads the drawn digits."""
    with locked(shared_folder / "training.lock"):
        if (shared_folder / "run").exists():
            return RunFolder(shared_folder / "run")
        run = prepare_run(shared_folder, epochs=3)
        run_training(run, on_epoch=lambda _: None)
    return run


@pytest.fixture(scope="session")
def trained_model(trained_run: RunFolder) -> Path:
    """Return the model folder of the finished run."""
    return Path(trained_run.read_state().output)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the list of all figures saved from now on."""
    saved: list[Figure] = []
    save = Figure.savefig

    def savefig(figure: Figure, *arguments: Any, **options: Any) -> None:
        save(figure, *arguments, **options)
        saved.append(figure)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return saved


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Path]:
    """Make an empty folder the current one, and return it."""
    with contextlib.chdir(tmp_path):
        yield tmp_path


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda _: None))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

    with serving(Handler) as address:
        made = Site(address)
        yield made
        made.closing.set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "set"


@pytest.fixture
def default_site(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Make the site the default URL, with a list of its images."""
    checksums = tmp_path / "list.sha256"
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in IMAGES.items()]
    checksums.write_text("".join(lines))
    monkeypatch.setattr(downloading, "CHECKSUMS", checksums)
    monkeypatch.setattr(downloading, "DEFAULT_URL", site.url)
    return site
