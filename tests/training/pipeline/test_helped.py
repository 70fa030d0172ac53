"""A training in which a second process takes half of the work."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from app.inference.models.model import ImageToTextModel
from tests.drawn import draw_plain
from training.fitting.parallel import HelperError
from training.fitting.run import RunFolder
from training.pipeline.train import run_training


@pytest.fixture(autouse=True)
def help_with_any_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.fitting.parallel.MIN_STEPS", 0)


def ignore(_: object) -> None:
    """What nobody needs to be told."""


def test_two_processes_train_a_network_that_reads(prepare_run: Callable[..., RunFolder], tmp_path: Path) -> None:
    run = prepare_run(tmp_path, images=60, epochs=1, learning_rate=1e-5)
    result = run_training(run, ignore, helper_threads=1)
    assert not result.interrupted
    assert ImageToTextModel(Path(run.read_state().output)).predict([draw_plain("2468", seed=5)])[0].text == "2468"
    assert not multiprocessing.active_children()


def test_where_the_second_process_ends_early_the_training_says_so_and_can_be_resumed(
    prepare_run: Callable[..., RunFolder], tmp_path: Path
) -> None:
    run = prepare_run(tmp_path, images=60, epochs=2, learning_rate=1e-5)

    def kill_it(_: object) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(HelperError, match="--resume"):
        run_training(run, kill_it, helper_threads=1)
    assert run.epochs_done() == 1
    run_training(run, ignore, helper_threads=1)
    assert run.epochs_done() == 2
    assert run.read_state().finished
