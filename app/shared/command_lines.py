"""Command lines for people to paste."""

import shlex
import sys
from pathlib import Path


def python_command(*words: object) -> str:
    """A command of this Python to paste where this process was started: `.venv/bin/python -m training …`."""
    python = Path(sys.executable)
    here = Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return shlex.join([str(shown), *map(str, words)])
