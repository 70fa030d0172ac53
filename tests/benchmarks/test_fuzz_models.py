"""Fuzzing of models: each damaged model folder is loaded or refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.inference.models.model import ImageToTextModel
from benchmarks import fuzz_models


@pytest.mark.parametrize("count", [200, pytest.param(1_000, marks=pytest.mark.slow)])
def test_each_is_loaded_or_refused(repository: Path, count: int) -> None:
    # In a separate process: forked copies of a process with threads could wait for locks forever.
    command = [sys.executable, "-m", "benchmarks.fuzz_models", "--count", str(count)]
    said = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"{count:,} folders: ")
    assert " refused" in said
    assert " loaded" in said


@pytest.mark.parametrize("make", [fuzz_models.small_model, fuzz_models.shipped_model])
def test_the_original_folders_are_valid(tmp_path: Path, make: Callable[[], fuzz_models.Files]) -> None:
    for name, data in make().items():
        (tmp_path / name).write_bytes(data)
    assert ImageToTextModel(tmp_path).steps > 0


def test_the_same_number_makes_the_same_folder() -> None:
    files = fuzz_models.small_model()
    made = [fuzz_models.broken_files(files, seed, number) for seed, number in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert made[0] == made[3]
    assert made[0] not in (made[1], made[2])


def test_a_folder_neither_loaded_nor_refused_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz_models, "ImageToTextModel", fails)
    assert fuzz_models.try_folder(tmp_path) == "fault: ZeroDivisionError()"
