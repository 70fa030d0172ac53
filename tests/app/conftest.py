"""What the tests of the service share."""

import os
from pathlib import Path

import pytest

from app.settings import PREFIX


@pytest.fixture
def empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds an empty model store, and an environment that says nothing."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    (tmp_path / "model_store").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
