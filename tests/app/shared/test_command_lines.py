"""Command lines for people to paste."""

import sys
from pathlib import Path

import pytest

from app.shared.command_lines import python_command


def test_the_python_of_the_current_folder_is_named_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.chdir(tmp_path)
    assert python_command("-m", "training", "train", "--data", Path("my images")) == (
        ".venv/bin/python -m training train --data 'my images'"
    )
    monkeypatch.chdir("/")
    assert python_command("-V") == f"{tmp_path.relative_to('/')}/.venv/bin/python -V"


def test_another_python_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.chdir(tmp_path)
    assert python_command("-V") == "/usr/bin/python3 -V"
