"""`/metrics` of the real service: the same from every worker, whatever becomes of them."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.observability.counts import FOLDER_VARIABLE
from tests.exposed import numbers_of

RunServer = Callable[..., Any]
READ = 'ocr_predictions_total{model="captcha",outcome="ok"}'
REFUSED = 'ocr_predictions_total{model="captcha",outcome="refused"}'
BY_STATUS = 'ocr_requests_total{route="/predict",status="200"}'
REQUESTS = 100
SCRAPES = 12
"""On connections of their own, which the workers share: that all of them go to one is unlikely."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers share what they count on Linux only")


def scrape(server: Any) -> dict[str, float]:
    return numbers_of(httpx.get(f"{server.url}/metrics").text)


def send(server: Any, image: bytes, requests: int) -> list[int]:
    """Send requests, each on a connection of its own; the statuses."""

    def one(_: int) -> int:
        return httpx.post(f"{server.url}/predict", content=image).status_code

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(one, range(requests)))


@pytest.fixture(scope="module")
def two_workers(run_module_server: RunServer) -> Any:
    """A service of two workers, both of which have started."""
    server = run_module_server(OCR_WORKERS="2")
    server.wait_until_started(2)
    return server


def test_every_worker_tells_at_once_what_all_have_done(two_workers: Any, samples: dict[str, bytes]) -> None:
    before = scrape(two_workers).get(READ, 0)
    assert send(two_workers, samples["ef2ec"], REQUESTS) == [200] * REQUESTS
    for seen in (scrape(two_workers) for _ in range(SCRAPES)):
        assert (seen[READ], seen[BY_STATUS], seen["ocr_queue_wait_seconds_count"]) == (before + REQUESTS,) * 3
        assert seen['ocr_request_duration_seconds_count{route="/predict"}'] == before + REQUESTS
        assert seen['ocr_stage_duration_seconds_count{stage="run"}'] == before + REQUESTS
        assert (seen["ocr_workers"], seen["ocr_ready"], seen["ocr_queue_depth"]) == (2, 1, 0)
        assert {seen[f'process_resident_memory_bytes{{worker="{worker}"}}'] > 0 for worker in (0, 1)} == {True}


def test_nothing_is_forgotten_with_a_worker_that_is_killed(two_workers: Any, samples: dict[str, bytes]) -> None:
    before = scrape(two_workers).get(READ, 0)
    for killed in range(1, 3):
        send(two_workers, samples["ef2ec"], 20)
        os.kill(two_workers.workers[-1], signal.SIGKILL)
        two_workers.wait_until_started(2 + killed)
        for seen in (scrape(two_workers) for _ in range(4)):
            assert seen[READ] == before + 20 * killed
            assert (seen["ocr_workers"], seen["ocr_ready"]) == (2, 1)
    assert not any('worker="2"' in series for series in scrape(two_workers))


def test_what_the_workers_share_is_gone_when_the_service_has_stopped(two_workers: Any) -> None:
    worker = two_workers.workers[-1]
    environment = Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")
    (folder,) = (
        Path(value) for name, _, value in (entry.partition("=") for entry in environment) if name == FOLDER_VARIABLE
    )
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1"]
    assert two_workers.stop() == 0
    assert not folder.exists()


def test_reloaded_models_are_shown_by_every_worker(run_server: RunServer, tmp_path: Path, shipped_model: Path) -> None:
    store = tmp_path / "store" / "captcha"
    shutil.copytree(shipped_model, store / "1")
    server = run_server(OCR_WORKERS="2", OCR_ADMIN_KEY="sesame", OCR_MODEL_STORE=str(store.parent))
    server.wait_until_started(2)
    shutil.copytree(shipped_model, store / ".2")
    (store / ".2").rename(store / "2")
    assert httpx.post(f"{server.url}/models/reload", headers={"X-API-Key": "sesame"}).status_code == 200
    # The one that is asked reloads, and the other when its parent tells both to.
    server.wait_until(lambda: scrape(server)['ocr_reloads_total{outcome="ok"}'] == 3)
    for seen in (scrape(server) for _ in range(SCRAPES)):
        versions = {re.findall(r'version="(\w+)"', series)[0] for series in seen if series.startswith("ocr_model_info")}
        assert versions == {"1", "2"}


@contextmanager
def flood(server: Any, image: bytes, connections: int) -> Iterator[None]:
    """Clients that send requests all the time, in a process of their own."""
    script = (
        "import asyncio, httpx, sys\n"
        "async def one(client):\n"
        "    while True: await client.post(sys.argv[1], content=image)\n"
        "async def main():\n"
        f"    limits = httpx.Limits(max_connections={connections})\n"
        "    async with httpx.AsyncClient(timeout=None, limits=limits) as client:\n"
        f"        await asyncio.gather(*(one(client) for _ in range({connections})))\n"
        "image = sys.stdin.buffer.read()\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, f"{server.url}/predict"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(image)
    process.stdin.close()
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_under_more_than_can_be_served_it_is_answered_and_tells_of_it(
    run_server: RunServer, samples: dict[str, bytes]
) -> None:
    server = run_server(OCR_MAX_WAITING="1")
    with flood(server, samples["ef2ec"], connections=30):
        server.wait_until(lambda: scrape(server).get(REFUSED, 0) > 0)
        seen = [scrape(server) for _ in range(5)]
    for earlier, later in itertools.pairwise(seen):
        assert later[READ] >= earlier[READ]
        assert later[REFUSED] >= earlier[REFUSED]
    assert seen[-1]['ocr_requests_total{route="/predict",status="503"}'] >= seen[-1][REFUSED] > 0


def test_a_client_that_does_not_wait_for_its_answer_is_counted_as_gone(shared_server: Any) -> None:
    gone = 'ocr_requests_total{route="/predict",status="499"}'
    before = scrape(shared_server).get(gone, 0)
    with socket.create_connection(("127.0.0.1", shared_server.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nbegun")
        time.sleep(0.2)
    shared_server.wait_until(lambda: scrape(shared_server).get(gone, 0) > before)
