"""What the commands look like on a terminal, in a pipe and where no colours are wanted."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

RED = "\x1b[31m"


@pytest.fixture(
    params=[["app", "read", "nowhere"], ["training", "evaluate", "--model", "nowhere", "--data", "nowhere"]]
)
def command(request: pytest.FixtureRequest) -> list[str]:
    """A command of each package that fails soon."""
    return [sys.executable, "-m", *request.param]


def on_terminal(command: list[str], repository: Path, **variables: str) -> str:
    """What a command writes on a terminal."""
    terminal, end = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with os.fdopen(terminal, "rb", buffering=0) as read, os.fdopen(end, "wb") as write:
        variables = {"TERM": "xterm-256color"} | variables
        subprocess.run(command, cwd=repository, env=environment | variables, stdout=write, stderr=write, check=False)
        return read.read(100_000).decode()


def test_errors_are_red_on_a_terminal(command: list[str], repository: Path) -> None:
    assert f"{RED}error:" in on_terminal(command, repository)


def test_there_is_no_colour_where_none_is_wanted(command: list[str], repository: Path) -> None:
    printed = on_terminal(command, repository, NO_COLOR="1")
    assert "error:" in printed
    assert RED not in printed


def test_there_is_no_escape_sequence_in_a_pipe(command: list[str], repository: Path) -> None:
    done = subprocess.run(
        command, cwd=repository, env=os.environ | {"TERM": "xterm"}, capture_output=True, text=True, check=False
    )
    assert "error:" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
