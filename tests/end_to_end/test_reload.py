"""Reloading in the real service: every worker, by request and by SIGHUP, under load, and without growing."""

import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.conftest import Server
from tests.stores import store_of
from tests.waiting import GENEROUS_SECONDS, ending

RunServer = Callable[..., Any]
KEY = {"X-API-Key": "sesame"}
RELOADS = 20
READERS = 2
PAUSE_SECONDS = 0.01
MAX_GROWTH_KIB = 8 * 1024
"""Of the last ten reloads, eight of which load; a network that is not given back takes 2 MiB each time."""


@pytest.fixture
def store(tmp_path: Path, shipped_model: Path, samples: dict[str, bytes]) -> Path:
    """A model store with the shipped model as version 1, and a golden image."""
    store_of(shipped_model, tmp_path / "store", "1", samples["ef2ec"], "ef2ec")
    return tmp_path / "store"


def add_version(store: Path, version: int) -> None:
    """As a careful copy does: under a hidden name first."""
    hidden = store / "captcha" / f".{version}"
    shutil.copytree(store / "captcha" / "1", hidden)
    hidden.rename(store / "captcha" / str(version))


def wait_for_version(server: Any, image: bytes, version: int) -> None:
    """Read until many connections in a row, which the workers share, are answered by a version."""

    def versions() -> set[str]:
        answers = [client.post("/predict", content=image).json() for _ in range(30)]
        assert {answer["text"] for answer in answers} == {"ef2ec"}
        return {answer["model"]["version"] for answer in answers}

    with httpx.Client(base_url=server.url, headers={"Connection": "close"}) as client:
        server.wait_until(lambda: versions() == {str(version)})


@contextmanager
def readers(server: Any, image: bytes) -> Iterator[list[int]]:
    """Clients that send one request after the other; yields the versions that have answered."""
    versions: list[int] = []
    stop = threading.Event()

    def read() -> None:
        with httpx.Client(base_url=server.url) as client:
            while not stop.wait(PAUSE_SECONDS):
                response = client.post("/predict", content=image)
                assert response.status_code == 200, response.text
                assert response.json()["text"] == "ef2ec"
                versions.append(int(response.json()["model"]["version"]))

    with ThreadPoolExecutor() as threads:
        reading = [threads.submit(read) for _ in range(READERS)]
        try:
            yield versions
        finally:
            stop.set()
        for one in reading:
            one.result()


def resident_kib(pid: int) -> int:
    """The memory of a process, without files that come and go as the system likes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"RssAnon:\s+(\d+) kB", status)[0])


def start(run_server: RunServer, store: Path, workers: int) -> Any:
    server = run_server(OCR_MODEL_STORE=str(store), OCR_ADMIN_KEY="sesame", OCR_WORKERS=str(workers))
    server.wait_until_started(workers)
    return server


@pytest.mark.parametrize(("by", "workers"), [("request", 2), ("signal", 1), ("signal", 2)])
def test_a_new_version_reads_in_every_worker_and_no_request_fails(
    run_server: RunServer, store: Path, samples: dict[str, bytes], by: str, workers: int
) -> None:
    server = start(run_server, store, workers)
    with readers(server, samples["ef2ec"]) as versions:
        wait_for_version(server, samples["ef2ec"], 1)
        add_version(store, 2)
        if by == "request":
            answer = httpx.post(f"{server.url}/models/reload", headers=KEY)
            assert answer.json()["loaded"] == [{"name": "captcha", "version": "2"}]
        else:
            server.process.send_signal(signal.SIGHUP)
        wait_for_version(server, samples["ef2ec"], 2)
    assert set(versions) == {1, 2}
    assert len(server.workers) == workers  # no worker was started anew
    assert "sesame" not in server.log
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("workers", [1, 2])
def test_every_worker_keeps_the_old_model_where_the_new_one_is_broken(
    run_server: RunServer, store: Path, samples: dict[str, bytes], workers: int
) -> None:
    server = start(run_server, store, workers)
    (store / "captcha" / "1" / "golden.txt").write_text("b5wn6")
    with readers(server, samples["ef2ec"]):
        for _ in range(2):
            before = server.log.count('"model broken"')
            server.process.send_signal(signal.SIGHUP)
            server.wait_until(lambda said=before + workers: server.log.count('"model broken"') >= said)
    assert server.log.count("golden.png is read as 'ef2ec', but golden.txt says 'b5wn6'") == 2 * workers
    wait_for_version(server, samples["ef2ec"], 1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_many_reloads_under_load_fail_no_request_and_take_no_memory(
    run_server: RunServer, store: Path, samples: dict[str, bytes]
) -> None:
    server = start(run_server, store, 1)
    (pid,) = server.workers
    configs = store / "captcha" / "1" / "configs.yaml"
    original = configs.read_text()
    resident: list[int] = []
    with readers(server, samples["ef2ec"]) as versions, httpx.Client(base_url=server.url) as client:
        for number in range(RELOADS):
            # Another network each time; one in five cannot be loaded, and the one before is kept.
            broken = number % 5 == 4
            configs.write_text(original + (f"colour: {number}\n" if broken else f"# {number}\n"))
            changes = client.post("/models/reload", headers=KEY).json()
            assert (len(changes["loaded"]), len(changes["broken"])) == ((0, 1) if broken else (1, 0))
            resident.append(resident_kib(pid))
    assert len(versions) >= RELOADS
    assert max(resident) - max(resident[:10]) < MAX_GROWTH_KIB, resident
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("workers", [1, 2])
def test_a_terminal_that_is_closed_ends_it(store: Path, repository: Path, tmp_path: Path, workers: int) -> None:
    terminal, its_end = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    variables = {"OCR_PORT": "0", "OCR_MODEL_STORE": str(store), "OCR_WORKERS": str(workers)}
    log_file = tmp_path / "log"
    with log_file.open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=tmp_path,
            env=os.environ | variables | {"PYTHONPATH": str(repository)},
            stdin=its_end,
            stdout=log,
            stderr=log,
            preexec_fn=take_terminal,  # noqa: PLW1509
        )
    os.close(its_end)
    with ending(started) as process:
        server = Server(process, log_file)
        server.wait_until_started(workers)
        os.close(terminal)
        assert process.wait(timeout=GENEROUS_SECONDS) == 0
    assert "Traceback" not in server.log
