"""Command lines to paste."""

import sys
from pathlib import Path

import pytest

from app.shared.command_line import pasteable


def test_a_python_in_the_current_folder_has_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.chdir(tmp_path)
    assert pasteable("training", "train", "--data", Path("my images")) == (
        ".venv/bin/python -m training train --data 'my images'"
    )
    monkeypatch.chdir("/")
    assert pasteable("app") == f"{tmp_path.relative_to('/')}/.venv/bin/python -m app"


def test_another_python_has_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.chdir(tmp_path)
    assert pasteable("app") == "/usr/bin/python3 -m app"
