"""Running the packages' commands as people do, and what that comes to."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import GENEROUS_SECONDS


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The lines of standard output, split at tabs."""
        return [line.split("\t") for line in self.out.splitlines()]


def loaded_modules(repository: Path, names: str) -> set[str]:
    """All modules that a new process has loaded when it has imported some, whose names are separated by commas."""
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys, {names}; print(*sys.modules)"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
        timeout=GENEROUS_SECONDS,
    )
    return set(finished.stdout.split())


def start_command(
    repository: Path, arguments: tuple[object, ...], variables: dict[str, str], cwd: Path | None = None
) -> subprocess.Popen[str]:
    """Start `python -m PACKAGE …` as a process group of its own, as a shell does.

    Args:
        repository: where the packages are found, whatever the working directory.
        arguments: the package and what follows.
        variables: of the environment, besides what is there.
        cwd: the working directory, if not the current one.
    """
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(repository)} | variables,
        cwd=cwd,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
