"""A training that also uses pictures without labels."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from app.inference.models.model import ImageToTextModel
from tests.drawn import draw_plain, draw_plain_folder
from tests.training.conftest import run_eagerly
from training.fitting.callbacks import Logs
from training.fitting.checkpoints import read_variables
from training.fitting.config import resolve_config
from training.fitting.run import RunFolder
from training.fitting.start import load_start
from training.networks import get_architecture
from training.pipeline import train as training
from training.pipeline.train import export_run, run_training


@dataclass(frozen=True)
class Taught:
    """A finished run on a few labelled digits and twenty unlabelled pictures.

    Attributes:
        run: the run.
        epochs: the reported epochs.
        gained: what the run's state says was gained, at each of them.
    """

    run: RunFolder
    epochs: list[int]
    gained: list[str]


@pytest.fixture(scope="module")
def taught(prepare_run: Callable[..., RunFolder], tmp_path_factory: pytest.TempPathFactory) -> Taught:
    folder = tmp_path_factory.mktemp("unlabelled")
    draw_plain_folder(folder / "more", 20, seed=9)
    run = prepare_run(folder, images=60, epochs=1, learning_rate=1e-5)
    run.write_state(run.read_state().model_copy(update={"unlabelled": str(folder / "more")}))
    epochs: list[int] = []
    gained: list[str] = []

    def on_epoch(logs: Logs) -> None:
        epochs.append(int(logs["epoch"]))
        gained.append(run.read_state().gained)

    short = {"epochs": 1, "learning_rate": 1e-5}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training, "resolve_config", lambda images, options: resolve_config(images, options | short))
        monkeypatch.setattr(training, "MORE", 0.0)  # a second round, whatever the first one brings
        monkeypatch.setattr(training, "MAX_ROUNDS", 2)
        run_eagerly(monkeypatch)
        run_training(run, on_epoch)
    return Taught(run, epochs, gained)


def test_trains_again_on_pseudo_labels_and_reports_the_improvement(taught: Taught) -> None:
    state = taught.run.read_state()
    assert state.finished
    said = re.fullmatch(
        r"round (\d): (\d+) of 20 unlabelled images used; "
        r"validation words right: (\d) before, (\d) after, of 6",
        state.gained,
    )
    assert said, state.gained
    number, learnt, _, _ = map(int, said.groups())
    assert taught.epochs == [1] * (1 + number)
    assert 0 < learnt <= 20  # the shipped weights know digits


def test_a_run_remembers_what_a_round_gained_while_the_next_one_is_trained(taught: Taught) -> None:
    assert [text[:7] for text in taught.gained] == ["", "", *(f"round {n}" for n in range(1, len(taught.gained) - 1))]


def test_writes_a_model_that_reads(taught: Taught) -> None:
    model = ImageToTextModel(Path(taught.run.read_state().output))
    assert model.predict([draw_plain("2468", seed=5)])[0].text == "2468"


def test_what_it_learned_is_exported_again_and_starts_other_trainings(taught: Taught, tmp_path: Path) -> None:
    state = taught.run.read_state()
    last = taught.run.round(state.best_round)
    assert state.best_round == len(taught.epochs) - 1
    export_run(taught.run, tmp_path / "again")
    first, again = (ImageToTextModel(folder) for folder in (Path(state.output), tmp_path / "again"))
    images = [draw_plain("2468", seed=seed) for seed in range(20)]
    np.testing.assert_allclose(first.probabilities(images), again.probabilities(images), atol=1e-6)

    network = get_architecture("conv_ctc").build((50, 200, 1), 1 + len(state.vocab))
    load_start(str(taught.run.path), "conv_ctc", network, CtcCodec(state.vocab))
    for ours, theirs in zip(network.variables, read_variables(last.best_weights), strict=True):
        np.testing.assert_array_equal(np.array(ours), theirs)
