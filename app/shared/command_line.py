"""Helpers of the commands of both packages."""

import shlex
import sys
from pathlib import Path

COMMAND = "captcha-reader"


def program(package: str) -> str:
    """Return the program as typed: the installed command, or `python -m PACKAGE`."""
    return COMMAND if Path(sys.argv[0]).stem == COMMAND else f"python -m {package}"


def typed(package: str) -> str:
    """Return the command line as typed."""
    return shlex.join([*program(package).split(), *sys.argv[1:]])


def pasteable(package: str, *words: object) -> str:
    """Return a command that runs from the current folder, such as `.venv/bin/python -m training train`."""
    start = [COMMAND]
    if program(package) != COMMAND:
        python, here = Path(sys.executable), Path.cwd()
        start = [str(python.relative_to(here) if python.is_relative_to(here) else python), "-m", package]
    return shlex.join([*start, *map(str, words)])
