"""A training with a second process."""

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


def test_a_training_whose_second_process_ends_early_can_be_resumed(
    prepare_run: Callable[..., RunFolder], tmp_path: Path
) -> None:
    run = prepare_run(tmp_path, images=60, epochs=2, learning_rate=1e-5)

    def kill_it(_: object) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(HelperError, match="--resume"):
        run_training(run, kill_it, helper_threads=1)
    assert run.epochs_done() == 1
    helpers: set[int | None] = set()
    run_training(run, lambda _: helpers.update(one.pid for one in multiprocessing.active_children()), helper_threads=1)
    assert len(helpers) == 1
    assert not multiprocessing.active_children()
    assert run.epochs_done() == 2
    assert run.read_state().finished
    assert ImageToTextModel(Path(run.read_state().output)).predict([draw_plain("2468", seed=5)])[0].text == "2468"
