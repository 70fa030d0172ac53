"""From SIGTERM to the end: not ready at once, serving for a while, and nothing that was accepted is lost."""

import os
import signal
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from tests.end_to_end.conftest import Server
from tests.waiting import GENEROUS_SECONDS, answers_200

RunServer = Callable[..., Server]
DRAIN_SECONDS = 4
"""Long enough for a busy machine to notice what the service says meanwhile."""
ENOUGH = 20


def test_it_is_not_ready_at_once_and_serves_until_the_time_is_over(
    run_server: RunServer, samples: dict[str, bytes]
) -> None:
    server = run_server(OCR_DRAIN_SECONDS=str(DRAIN_SECONDS))
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/readyz").status_code == 200
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log('"stopping"')
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The service is stopping."
        assert answer.headers["connection"] == "close"
        assert client.get("/livez").status_code == 200
        assert client.post("/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
    assert server.process.wait(timeout=GENEROUS_SECONDS) == 0
    assert time.monotonic() - started >= DRAIN_SECONDS


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_lost_when_it_is_stopped_under_load(
    run_server: RunServer, samples: dict[str, bytes], workers: str
) -> None:
    server = run_server(OCR_DRAIN_SECONDS=str(DRAIN_SECONDS), OCR_WORKERS=workers)
    server.wait_until_started(int(workers))
    ready = threading.Event()
    ready.set()
    read: list[str] = []
    lost: list[str] = []

    def send_while_ready() -> None:
        with httpx.Client(base_url=server.url) as client:
            while ready.is_set():
                try:
                    read.append(client.post("/predict", content=samples["ef2ec"]).json()["text"])
                except (httpx.HTTPError, KeyError) as error:
                    lost.append(repr(error))

    def watch() -> None:
        while answers_200(f"{server.url}/readyz"):
            time.sleep(0.05)
        ready.clear()

    threads = [threading.Thread(target=send_while_ready) for _ in range(4)]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    try:
        server.wait_until(lambda: len(read) > ENOUGH)
    finally:  # which ends the threads too
        server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert server.process.wait(timeout=GENEROUS_SECONDS) == 0
    assert lost == []
    assert len(read) > ENOUGH
    assert set(read) == {"ef2ec"}


def test_a_worker_that_is_killed_is_replaced(run_server: RunServer, samples: dict[str, bytes]) -> None:
    server = run_server(OCR_WORKERS="2")
    server.wait_until_started(2)
    os.kill(server.workers[0], signal.SIGKILL)
    server.wait_until_started(3)
    for _ in range(10):
        assert httpx.post(f"{server.url}/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
    assert server.stop() == 0
