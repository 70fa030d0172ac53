"""Running commands in this process, which saves startup time."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.drawn import draw_plain_folder
from training.__main__ import app

SMALL = ["--architecture", "conv_ctc", "--width", "96", "--height", "32", "--batch-size", "16", "--epochs", "2"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def few_digits(tmp_path: Path) -> Path:
    """Return a folder of forty drawn images."""
    draw_plain_folder(tmp_path / "few", 40, seed=2)
    return tmp_path / "few"
