"""Fixtures of the tests of the service."""

import os
from pathlib import Path

import pytest

from app.settings import PREFIX


@pytest.fixture
def empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an empty model store, without environment variables."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    (tmp_path / "model_store").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
