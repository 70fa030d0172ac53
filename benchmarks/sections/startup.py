"""From starting the service to its being ready, and whether the first request waits longer than the next."""

import http.client
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks.common import PEERS_PYTHON, Setup, environment
from benchmarks.figures import BenchmarkError, Section, Table, by_name, figure, ratio
from benchmarks.servers import FORM, form, free_ports, serve, wait_for

IMAGE = "captcha-reader"
TITLES = {
    "ready": "start to ready, ms",
    "first": "first request, ms",
    "later": "a later request, ms",
}


def measure(setup: Setup) -> Section:
    """Start each side's service in turn, with one worker."""
    requests = 20 if setup.quick else 200
    body = form(setup.uploads[:1], "file")
    rounds = []
    for _ in range(setup.rounds):
        (port,) = free_ports(1)
        ours = _start(port, [sys.executable, "-m", "app"], environment(OCR_PORT=port), [200], [body] * requests)
        (port,) = free_ports(1)
        command = [str(PEERS_PYTHON), "-m", "uvicorn", "benchmarks.peers.tutorial_service:app", "--port", str(port)]
        # It has no probe; what it answers at all, it answers with its model loaded.
        tutorial = _start(port, command, environment(MODEL=setup.tutorial), [404], [body] * requests)
        rounds.append((ours, tutorial))
    ours_figures = by_name([ours for ours, _ in rounds])
    tutorial_figures = by_name([tutorial for _, tutorial in rounds])
    startup = Table(
        title="Starting, one worker",
        columns={"what": "", "ours": "ours", "tutorial": "tutorial", "ratio": "tutorial ÷ ours"},
        rows=[
            {
                "what": title,
                "ours": ours_figures[name],
                "tutorial": tutorial_figures[name],
                "ratio": ratio(tutorial_figures[name], ours_figures[name]),
            }
            for name, title in TITLES.items()
        ],
    )
    size = image_megabytes()
    container = Table(
        title="The container image",
        columns={"what": "", "size": "MB"},
        rows=[{"what": IMAGE, "size": figure([size]) if size is not None else "n/a"}],
    )
    notes = [] if size is not None else [f"No Docker engine has an image {IMAGE} here, so its size is not shown."]
    return Section(tables={"startup": startup, "container": container}, checks=[], notes=notes)


def image_megabytes() -> float | None:
    """The size of the service's container image, if it has been built here."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    command = [docker, "image", "inspect", "--format", "{{.Size}}", IMAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout) / 1e6 if done.returncode == 0 else None


def _start(
    port: int, command: list[str], variables: Mapping[str, str], ready: Sequence[int], bodies: Sequence[bytes]
) -> dict[str, float]:
    """Milliseconds from the start until ready, of the first request, and of a later one."""
    started = time.perf_counter()
    with serve(command, variables) as server:
        wait_for(server, port, "/readyz", ready)
        seconds = time.perf_counter() - started
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.connect()
        times = [_predict(connection, body) for body in bodies]
        connection.close()
    return {"ready": 1000 * seconds, "first": 1000 * times[0], "later": 1000 * statistics.median(times[1:])}


def _predict(connection: http.client.HTTPConnection, body: bytes) -> float:
    started = time.perf_counter()
    connection.request("POST", "/predict", body, {"Content-Type": FORM})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise BenchmarkError(f"POST /predict was answered with {response.status}")
    return time.perf_counter() - started
