"""Faults injected into the real service with two workers: lost requests, latencies, memory growth.

    python -m benchmarks.faults [FAULT …] [--times N]

Overload: many times more connections than may wait; refusals must be fast, and accepted requests must not suffer.
Others: SIGTERM under load, a killed worker, a stopped worker, many reloads, silent sockets, clients that do not read,
endless trailers, the most expensive requests, the largest requests in a small container. Prints a line per fault with
the expected result, and exits with status 1 if one is not met.
"""

import argparse
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import cv2
import httpx
import numpy as np

from benchmarks.common import ROOT
from benchmarks.container import has_docker, largest_batches, small_container
from benchmarks.load import LOST, Load, send_for, send_load, upload_request
from benchmarks.servers import cpu_seconds, descendants, free_ports, memory, wait_for

KEY = "benchmark"
IMAGE = (ROOT / "samples" / "ef2ec.png").read_bytes()
CONNECTIONS = 16
SHORT_QUEUE, CLIENTS = 16, 1280
LITTLE_MEMORY = {1: 200, 2: 300}
"""Workers → megabytes of the smallest container for them."""


@dataclass(frozen=True)
class Outcome:
    """The observation after a fault, and whether it is as expected."""

    text: str
    good: bool


@dataclass(frozen=True)
class Service:
    """The service with two workers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def workers(self) -> list[int]:
        """The process ids of the live workers."""
        started = re.findall(r"Started server process \[(\d+)\]", self.log.read_text())
        return [pid for pid in map(int, started) if pid in descendants(self.process.pid)]

    @property
    def memory(self) -> float:
        """The memory of all processes in MB, shared memory counted once (PSS)."""
        return memory(self.process.pid).together

    @property
    def own_memory(self) -> float:
        """The part of `memory` that is not backed by files, in MB."""
        return memory(self.process.pid).own


@contextmanager
def service(**variables: str) -> Iterator[Service]:
    """Start the service and wait until both workers serve."""
    (port,) = free_ports(1)
    settings = {"OCR_PORT": str(port), "OCR_WORKERS": "2", "OCR_ADMIN_KEY": KEY, "OCR_LOG_FORMAT": "json"} | variables
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-m", "app"], cwd=ROOT, env=os.environ | settings, stdout=log)
        started = Service(process, port, Path(log.name))
        try:
            wait_for(process, port, "/readyz", (200,))
            _wait_for_workers(started)
            yield started
        finally:
            process.terminate()
            process.wait(30)


def _wait_for_workers(one: Service) -> None:
    while len(one.workers) < 2:
        time.sleep(0.1)
    time.sleep(0.5)  # a started worker serves a moment later


def overload(_times: int) -> Iterator[Outcome]:
    """Send from many times more clients than may wait, all arriving within three seconds.

    Refused clients retry after `Retry-After`. The queue is short enough for accepted requests to be answered soon.
    """
    with service(OCR_MAX_WAITING=str(SHORT_QUEUE)) as one:
        calm = send_load(one.port, IMAGE, CONNECTIONS, seconds=5)
        before = one.memory
        probes: list[float] = []
        with _probing(one.port, probes):
            load = send_load(one.port, IMAGE, CLIENTS, seconds=15, within=3)
        grown = one.memory - before
        accepted, refused = load.percentile(200, 0.99), load.percentile(503, 0.99)
        calm_p99 = calm.percentile(200, 0.99)
        yield Outcome(f"calm, {CONNECTIONS} clients: {calm.count(200)} read, p99 {calm_p99:.1f} ms", good=True)
        yield Outcome(f"{CLIENTS} clients: {load.count(200)} accepted, p99 {accepted:.1f} ms", accepted <= 3 * calm_p99)
        yield Outcome(f"{load.count(503)} refused, p99 {refused:.1f} ms", refused <= 50)
        yield Outcome(f"{load.count(LOST)} without an answer", load.count(LOST) == 0)
        yield Outcome(f"probes: slowest {1000 * max(probes):.0f} ms of {len(probes)}", max(probes) < 1)
        yield Outcome(f"memory grew by {grown:.0f} MB", grown < 50)


def stops(times: int) -> Iterator[Outcome]:
    """Send SIGTERM under load; clients send until the service is not ready."""
    lost = read = wrong = 0
    ends: set[int] = set()
    for _ in range(times):
        with service(OCR_DRAIN_SECONDS="1") as one:
            load = Load()
            sender = threading.Thread(target=_send_until_unready, args=(one.port, load))
            sender.start()
            time.sleep(0.3)
            one.process.send_signal(signal.SIGTERM)
            sender.join(30)
            ends.add(one.process.wait(30))
        lost, read = lost + load.count(LOST), read + load.count(200)
        wrong += sum(count for text, count in load.texts.items() if text != b"ef2ec")
    yield Outcome(
        f"{times} SIGTERMs: {read} read, {lost} lost, {wrong} wrong, exit {ends}", lost == wrong == 0 == max(ends)
    )


def kills(times: int) -> Iterator[Outcome]:
    """Kill a worker under load: only its running requests are lost, and it is replaced."""
    with service() as one:
        for number in range(times):
            load = Load()
            sender = threading.Thread(target=_send, args=(one.port, load, 4.0))
            sender.start()
            time.sleep(0.5)
            os.kill(one.workers[number % 2], signal.SIGKILL)
            sender.join(30)
            _wait_for_workers(one)
            good = load.count(LOST) <= CONNECTIONS and len(one.workers) == 2 and load.count(200) > 0
            yield Outcome(
                f"killed: {load.count(200)} read, {load.count(LOST)} running requests lost, 2 workers again", good
            )


def stopped(times: int) -> Iterator[Outcome]:
    """Stop a worker for a while under load: all its requests are answered after it continues."""
    with service() as one:
        workers, load = one.workers, Load()
        sender = threading.Thread(target=_send, args=(one.port, load, 3600.0))
        sender.start()
        for number in range(times):
            os.kill(workers[number % 2], signal.SIGSTOP)
            time.sleep(2)
        load.stopped = True
        sender.join(30)
        slowest = load.percentile(200, 1.0)
        good = load.count(LOST) == 0 and one.workers == workers
        yield Outcome(f"{times} stops: {load.count(200)} read, {load.count(LOST)} lost, slowest {slowest:.0f} ms", good)


def costs(_times: int) -> Iterator[Outcome]:
    """Send the most expensive requests, one after another."""
    pixels = np.zeros((2000, 2000, 4), np.uint16)
    pixels[:40] = np.random.default_rng(0).integers(0, 65536, pixels[:40].shape, np.uint16)
    largest = cv2.imencode(".png", pixels)[1].tobytes()
    search = "?alternatives=20&pattern=.{0,199}"
    requests = {
        f"64 small images, {search}": (search, IMAGE, 64),
        f"64 small images, {search}&model=general": (f"{search}&model=general", IMAGE, 64),
        "4 images of 4 million pixels, 16 bits and opacity": ("", largest, 4),
        "16 of them": ("", largest, 16),
    }
    with service(OCR_REQUEST_TIMEOUT="600") as one:
        for text, (query, image, count) in requests.items():
            before = cpu_seconds(one.process.pid)
            address = f"http://127.0.0.1:{one.port}/predict/batch{query}"
            status = httpx.post(address, files=[("files", image)] * count, timeout=600).status_code
            spent = cpu_seconds(one.process.pid) - before
            yield Outcome(f"{text}: {status}, {spent:.2f} s of a processor", spent < 2)


def reloads(times: int) -> Iterator[Outcome]:
    """Reload the models under load, one reload after another."""
    with service() as one, httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=60) as admin:
        load = Load()
        sender = threading.Thread(target=_send, args=(one.port, load, 3600.0))
        sender.start()
        before, failed = one.memory, 0
        for _ in range(times):
            answer = admin.post("/models/reload", headers={"Authorization": f"Bearer {KEY}"})
            failed += answer.status_code != 200
        load.stopped = True
        sender.join(30)
        grown = one.memory - before
        bad = sum(len(times) for status, times in load.answers.items() if status != 200)
        yield Outcome(f"{times} reloads, {failed} failed; {load.count(200)} read, {bad} not", failed == bad == 0)
        yield Outcome(f"memory grew by {grown:.0f} MB", grown < 50)


def silence(_times: int) -> Iterator[Outcome]:
    """Open a thousand sockets that send nothing or half a request."""
    with service(OCR_HEAD_TIMEOUT="2", OCR_BODY_TIMEOUT="2") as one, ExitStack() as stack:
        before = one.memory
        starts = (b"", b"POST /predict HT", b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", one.port))) for _ in range(1000)]
        for number, each in enumerate(sockets):
            each.sendall(starts[number % len(starts)])
        calm = send_load(one.port, IMAGE, CONNECTIONS, seconds=4)
        closed = sum(_is_closed(each) for each in sockets)
        bad = sum(len(times) for status, times in calm.answers.items() if status != 200)
        grown = one.memory - before
        yield Outcome(f"1000 silent sockets: {closed} closed; {calm.count(200)} read meanwhile, {bad} not", bad == 0)
        yield Outcome(f"memory grew by {grown:.0f} MB", closed == 1000 and grown < 50)


def readers(_times: int) -> Iterator[Outcome]:
    """Request a large file twenty times per client without reading the answers."""
    with service(OCR_BODY_TIMEOUT="5") as one, ExitStack() as stack:
        page = httpx.get(f"http://127.0.0.1:{one.port}/docs").text
        (script,) = re.findall(r'src="(/[^"]+swagger[^"]+js)"', page)
        send_load(one.port, IMAGE, CONNECTIONS, seconds=1)  # so that files opened on first use are open
        before, opened = one.memory, _descriptors(one)
        for _ in range(400):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", one.port))
            client.sendall(f"GET {script} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 20)
        calm = send_load(one.port, IMAGE, CONNECTIONS, seconds=4)
        grown, held = one.memory - before, _descriptors(one) - opened
        bad = sum(len(times) for status, times in calm.answers.items() if status != 200)
        yield Outcome(f"400 clients that read nothing: {held} descriptors and {grown:.0f} MB", grown < 200)
        yield Outcome(f"{calm.count(200)} read meanwhile, {bad} not", bad == 0)
        began = time.monotonic()
        while (left := _descriptors(one) - opened) > 8 and time.monotonic() < began + 60:
            time.sleep(0.1)
        yield Outcome(f"{time.monotonic() - began:.0f} s later {max(left, 0)} descriptors", left <= 8)


def trailers(_times: int) -> Iterator[Outcome]:
    """Send sixty megabytes of trailers after a body."""
    with service() as one, socket.create_connection(("127.0.0.1", one.port)) as client:
        before, sent = one.memory, 0
        client.sendall(b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        with suppress(ConnectionError):
            while sent < 60 << 20:
                client.sendall(b"a: b\r\n" * 1000)
                sent += 6000
        grown = one.memory - before
        yield Outcome(f"trailers: hung up after {sent / 1000:.0f} kB; memory grew by {grown:.0f} MB", grown < 5)


def container(_times: int) -> Iterator[Outcome]:
    """Send the largest batches, 16 at a time, and small requests to containers with half a CPU and little memory."""
    if not has_docker():
        yield Outcome("not tried: no Docker engine answers", good=True)
        return
    for workers, megabytes in LITTLE_MEMORY.items():
        yield from _in_container(workers, megabytes)


def _in_container(workers: int, megabytes: int) -> Iterator[Outcome]:
    with small_container(workers, megabytes) as one:
        of = f"{workers} workers, {megabytes} MB"
        for name, request in largest_batches(IMAGE).items():
            load, modest = Load(), Load()
            asyncio.run(_send_both(one.port, (request, load), (upload_request(IMAGE), modest), 15.0))
            wrong = {text for each in (load, modest) for text in each.texts} - {b"ef2ec", b""}
            lost = load.count(LOST) + modest.count(LOST)
            answers = {status: len(times) for status, times in sorted(load.answers.items())}
            good = one.is_alive and lost == 0 and not wrong and set(modest.answers) == {200}
            yield Outcome(f"{of}, {name}: {answers}, meanwhile {modest.count(200)} read, {lost} lost", good)
        yield Outcome(f"{of}: {one.broken} models could not be loaded", one.broken == 0)


FAULTS: dict[str, tuple[Callable[[int], Iterator[Outcome]], int]] = {
    "overload": (overload, 1),
    "stops": (stops, 50),
    "kills": (kills, 5),
    "stopped": (stopped, 10),
    "costs": (costs, 1),
    "reloads": (reloads, 500),
    "silence": (silence, 1),
    "readers": (readers, 1),
    "trailers": (trailers, 1),
    "container": (container, 1),
}


def main() -> None:
    """Inject the chosen faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks.faults"
    )
    parser.add_argument("faults", nargs="*", choices=[*FAULTS, []], metavar="FAULT", help=", ".join(FAULTS))
    parser.add_argument("--times", type=int, help="number of repetitions, instead of the default")
    arguments = parser.parse_args()
    all_good = True
    for name in arguments.faults or FAULTS:
        fault, usual = FAULTS[name]
        for outcome in fault(arguments.times or usual):
            print(f"{name:<9} {'ok    ' if outcome.good else 'MISSED'} {outcome.text}", flush=True)
            all_good &= outcome.good
    sys.exit(not all_good)


def _send(port: int, load: Load, seconds: float) -> None:
    asyncio.run(send_for(load, port, [upload_request(IMAGE)] * CONNECTIONS, seconds))


async def _send_both(port: int, many: tuple[bytes, Load], one: tuple[bytes, Load], seconds: float) -> None:
    """Send one request repeatedly from many connections, and meanwhile another from one connection."""
    (large, load), (small, modest) = many, one
    await asyncio.gather(send_for(load, port, [large] * CONNECTIONS, seconds), send_for(modest, port, [small], seconds))


def _send_until_unready(port: int, load: Load) -> None:
    watcher = threading.Thread(target=_stop_when_unready, args=(port, load))
    watcher.start()
    _send(port, load, 30.0)
    watcher.join()


def _stop_when_unready(port: int, load: Load) -> None:
    while httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
        time.sleep(0.05)
    load.stopped = True


@contextmanager
def _probing(port: int, seconds: list[float]) -> Iterator[None]:
    """Ask `/livez` ten times a second in a thread, each time on a new connection."""
    done = threading.Event()

    def probe() -> None:
        while not done.wait(0.1):
            started = time.perf_counter()
            with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("GET", "/livez")
                if connection.getresponse().status != HTTPStatus.OK:
                    raise AssertionError("a probe failed")
            seconds.append(time.perf_counter() - started)

    thread = threading.Thread(target=probe)
    thread.start()
    yield
    done.set()
    thread.join()


def _descriptors(one: Service) -> int:
    """Return the number of files and sockets that the workers have open."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in one.workers)


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(10)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


if __name__ == "__main__":
    main()
