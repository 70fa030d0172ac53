"""Running `python -m app read` like users."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.cli import app
from app.settings import PREFIX
from tests.command import Result, start_command
from tests.waiting import GENEROUS_SECONDS, ending


@pytest.fixture
def folder(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the shipped models, without environment variables."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    (tmp_path / "model_store").symlink_to(repository / "model_store")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Iterator[Callable[..., Result]]:
    """Return a function that runs the command in this process, which saves time."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(app, ["read", *map(str, arguments)], catch_exceptions=False)
        return Result(result.exit_code, result.stdout, result.stderr)

    yield run
    signal.signal(signal.SIGTERM, before)


@contextmanager
def starting(repository: Path, module: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Yield a function that starts `python -m MODULE read …` in its own process group; end what it started."""
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(ending(start_command(repository, (module, "read", *words), {})))


@pytest.fixture
def start(folder: Path, repository: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command in its own process group, like a shell."""
    with starting(repository, "app") as start:
        yield start


@pytest.fixture
def start_paused(folder: Path, repository: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that does the same, but the command pauses after some rows until a signal ends it."""
    with starting(repository, "tests.app.commands.paused_read") as start:
        yield start


@pytest.fixture
def finish() -> Callable[[subprocess.Popen[str]], Result]:
    """Return a function that waits for a command."""

    def wait(process: subprocess.Popen[str]) -> Result:
        out, err = process.communicate(timeout=GENEROUS_SECONDS)
        return Result(process.returncode, out, err)

    return wait


@pytest.fixture
def images(folder: Path, samples: dict[str, bytes]) -> Callable[..., list[str]]:
    """Fill a folder with randomly chosen samples; return their paths, which end with their texts."""

    def make(count: int, name: str = "scans") -> list[str]:
        (folder / name).mkdir(exist_ok=True)
        originals = [folder / f"{label}.original" for label in samples]
        for original, content in zip(originals, samples.values(), strict=True):
            original.write_bytes(content)
        paths = [f"{name}/{number:05}-{list(samples)[number % len(samples)]}.png" for number in range(count)]
        for number, path in enumerate(paths):
            (folder / path).hardlink_to(originals[number % len(originals)])
        return paths

    return make
