"""Ray on this machine, S3 on this machine, and the command that reads."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command import Result, start_command
from tests.waiting import GENEROUS_SECONDS

pytest.importorskip("ray", reason="no Ray: make test-ray installs it and runs these tests")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the shipped models and Ray's files, which are told to no one."""
    (tmp_path / "model_store").symlink_to(repository / "model_store")
    monkeypatch.setenv("PYTHONPATH", str(repository))  # for the nodes of clusters
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def images(folder: Path, samples: dict[str, bytes]) -> list[str]:
    """Paths of twelve thousand images, whose names end with their texts, and of two that are none."""
    originals = []
    for label, content in samples.items():
        originals.append(folder / f"{label}.original")
        originals[-1].write_bytes(content)
    (folder / "scans").mkdir()
    for number in range(12_000):
        original = originals[number % len(originals)]
        (folder / "scans" / f"{number:05}-{original.stem}.png").hardlink_to(original)
    for name in ("first.png", "last.png"):
        (folder / "scans" / name).write_text("This is no image.")
    return sorted(f"scans/{path.name}" for path in (folder / "scans").iterdir())


@pytest.fixture
def start(repository: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command `python -m PACKAGE …`."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, **variables: str) -> subprocess.Popen[str]:
        started.append(start_command(repository, arguments, variables))
        return started[-1]

    yield run
    for process in started:
        process.terminate()
        process.communicate(timeout=GENEROUS_SECONDS)


@pytest.fixture
def run(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Result]:
    """Runs a command to its end."""

    def run(*arguments: object, **variables: str) -> Result:
        process = start(*arguments, **variables)
        out, err = process.communicate(timeout=GENEROUS_SECONDS)
        return Result(process.returncode, out, err)

    return run
