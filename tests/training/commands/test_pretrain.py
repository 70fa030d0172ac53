"""The pre-training command; the training itself is tested in tests/training/pipeline/test_pretrain.py."""

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


def test_interrupted_says_how_to_continue(interrupted: None, in_folder: Path) -> None:
    result = run("pretrain", "--output", "new/1")
    assert result.exit_code == 130
    assert "the same command resumes" in " ".join(result.output.split())
    assert not (in_folder / "new").exists()


def test_continues_with_the_same_model_folder(interrupted: None, in_folder: Path) -> None:
    run("pretrain", "--output", "new/1")
    run("pretrain")
    assert RunFolder(in_folder / "runs" / "pretrain").read_state().output == "new/1"


def test_rejects_continuing_with_other_typefaces(
    interrupted: None, in_folder: Path, typefaces: list[Typeface], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("pretrain")
    monkeypatch.setattr("training.drawing.typefaces.find_typefaces", lambda *_: typefaces[1:])
    result = run("pretrain")
    assert result.exit_code == 1
    assert "was started with other typefaces" in " ".join(result.output.split())


def test_prints_accuracy_and_output_files(finished: None, in_folder: Path) -> None:
    result = run("pretrain", "--weights", "new/start.npz", "--images", 1)
    printed = " ".join(result.output.split())
    assert result.exit_code == 0, printed
    assert "75.0% of the validation words are right" in printed
    assert re.search(r"written: model_store/general/\d{12} and new/start\.npz", printed)
