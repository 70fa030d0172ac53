"""The real service, in a process of its own, on a socket."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.settings import PREFIX
from tests.waiting import GENEROUS_SECONDS, answers_200, ending, wait_until


@dataclass(frozen=True)
class Server:
    """A process of `python -m app`."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """All that it has written."""
        return self.log_file.read_text()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def url(self) -> str:
        """What its paths are added to."""
        return self.wait_for_log(r"running on (http://[^ ]+:\d+) ")[1]

    @property
    def workers(self) -> list[int]:
        """The processes that have started to serve, those that are no more included."""
        return [int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", self.log)]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Ask until something holds; it fails with the log."""
        wait_until(condition, lambda: self.log)

    def wait_until_started(self, workers: int) -> None:
        """Wait until so many have started, those that are no more included."""
        self.wait_until(lambda: self.log.count("Application startup complete") >= workers)

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait until it has written something."""

        def find() -> re.Match[str] | None:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.log)
            assert found or not ended, f"ended without it in the log: {pattern}\n{self.log}"
            return found

        return wait_until(find, lambda: f"not in the log: {pattern}\n{self.log}")

    def wait_until_ready(self) -> None:
        """Ask `/readyz` until it answers 200."""
        wait_until(lambda: answers_200(f"{self.url}/readyz"), lambda: f"not ready\n{self.log}")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.wait(timeout=GENEROUS_SECONDS)


@contextmanager
def running(folder: Path, repository: Path, variables: dict[str, str]) -> Iterator[Server]:
    """Start the service with settings of its own.

    If they do not say otherwise, it has a free port and the shipped models, and waits as long as a busy machine needs.
    """
    folder.mkdir(parents=True)
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    defaults = {"OCR_PORT": "0", "OCR_MODEL_STORE": str(repository / "model_store"), "PYTHONPATH": str(repository)}
    defaults |= dict.fromkeys(("OCR_HEAD_TIMEOUT", "OCR_BODY_TIMEOUT", "OCR_REQUEST_TIMEOUT"), str(GENEROUS_SECONDS))
    log_file = folder / "log"
    with log_file.open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "app"], cwd=folder, env=inherited | defaults | variables, stdout=log, stderr=log
        )
    with ending(started) as process:
        try:
            yield Server(process, log_file)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)


@pytest.fixture(scope="session")
def network_lock(shared_folder: Path) -> Path:
    """A file that who starts containers locks, and who uses a browser shares.

    Chromium drops its connections (ERR_NETWORK_CHANGED) when a network interface comes or goes, as containers' do.
    """
    return shared_folder / "network.lock"


@pytest.fixture
def run_server(tmp_path: Path, repository: Path) -> Iterator[Callable[..., Server]]:
    """Starts the service with variables `OCR_…`; it is ready when this returns unless `wait` is False."""
    with _starter(tmp_path, repository) as run:
        yield run


@pytest.fixture(scope="module")
def run_module_server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Callable[..., Server]]:
    """The same, for services that all tests of a module share."""
    with _starter(tmp_path_factory.mktemp("servers"), repository) as run:
        yield run


@contextmanager
def _starter(folder: Path, repository: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:
        started: list[Server] = []

        def run(*, wait: bool = True, **variables: str) -> Server:
            server = stack.enter_context(running(folder / f"server-{len(started)}", repository, variables))
            started.append(server)
            if wait:
                server.wait_until_ready()
            return server

        yield run


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Server]:
    """One service with default settings for all tests that do not stop it."""
    with running(tmp_path_factory.mktemp("shared") / "server", repository, {}) as server:
        server.wait_until_ready()
        yield server


@pytest.fixture(scope="session")
def server(shared_server: Server) -> str:
    """The address of the service with default settings."""
    return shared_server.url
