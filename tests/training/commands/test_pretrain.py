"""The command that pre-trains; what it trains is in tests/training/pipeline/test_pretrain.py."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.training.commands.conftest import run
from training.drawing import typefaces as drawn_typefaces
from training.drawing.typefaces import Typeface
from training.fitting.callbacks import Logs
from training.fitting.fit import FitResult
from training.fitting.run import RunFolder
from training.pipeline import pretrain as pretraining


@pytest.fixture(autouse=True)
def only_matplotlibs_typefaces(typefaces: list[Typeface], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_typefaces, "SYSTEM_FOLDERS", ())


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretrain(*_: Any) -> FitResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(pretraining, "pretrain", pretrain)


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretrain(
        _run: RunFolder,
        _typefaces: Sequence[Typeface],
        _processes: int,
        weights: Path,
        on_epoch: Callable[[Logs], None],
    ) -> FitResult:
        assert weights.parent.is_dir()
        return FitResult(None, [{"val_wer": 0.5}, {"val_wer": 0.25}], best_epoch=2, interrupted=False)

    monkeypatch.setattr(pretraining, "pretrain", pretrain)


def test_interrupted_says_how_to_go_on(interrupted: None, in_folder: Path) -> None:
    result = run("pretrain", "--output", "new/1")
    assert result.exit_code == 130
    assert "the same command goes on where it was" in " ".join(result.output.split())
    assert not (in_folder / "new").exists()


def test_goes_on_to_the_model_folder_that_it_began_with(interrupted: None, in_folder: Path) -> None:
    run("pretrain", "--output", "new/1")
    run("pretrain")
    assert RunFolder(in_folder / "runs" / "pretrain").read_state().output == "new/1"


def test_refuses_to_go_on_with_other_typefaces(
    interrupted: None, in_folder: Path, typefaces: list[Typeface], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("pretrain")
    monkeypatch.setattr("training.drawing.typefaces.find_typefaces", lambda *_: typefaces[1:])
    result = run("pretrain")
    assert result.exit_code == 1
    assert "was begun with other typefaces" in " ".join(result.output.split())


def test_says_how_much_is_read_right_and_what_is_written(finished: None, in_folder: Path) -> None:
    result = run("pretrain", "--weights", "new/start.npz", "--images", 1)
    printed = " ".join(result.output.split())
    assert result.exit_code == 0, printed
    assert "75.0% of the words drawn to validate on read right" in printed
    assert re.search(r"written: model_store/general/\d{12} and new/start\.npz", printed)
