"""Startup of the service: time until ready, resources, and the latency of the first request."""

import http.client
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.common import PEERS_PYTHON, ROOT, Setup, environment
from benchmarks.figures import BenchmarkError, Check, Figure, Row, Section, Table, below, by_name, figure, ratio
from benchmarks.servers import FORM, cpu_seconds, form, free_ports, memory, serve, wait_for

OURS, TUTORIAL, BEFORE = "ours", "tutorial", "before"
WANTED = 0.7
IMAGE = "captcha-reader"
TITLES = {
    "ready": "start to ready, ms",
    "cpu": "processor time until ready, ms",
    "first": "first request, ms",
    "later": "a later request, ms",
    "memory": "memory after reading, MB",
}
SERVES = """
import gc
gc.disable()
import app.commands.serve, app.serving.worker, app.serving.listening
from app.shared.imports import hidden
with hidden("pydantic.v1"), app.serving.worker.models_built_on_use():
    import app.api.schemas
import app.serving.server, app.serving.application
"""
"""Imports of `python -m app`, in another order; garbage collection is deferred as in the service."""
IMPORTED = re.compile(r"^import time: +(\d+) \| +\d+ \| +(\w+)", re.MULTILINE)
SHOWN = 15


def measure(setup: Setup) -> Section:
    """Start each side's service in turn, with one worker or `OCR_WORKERS`."""
    sides = _sides(setup)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(setup.rounds):
        for name, start in sides.items():
            (port,) = free_ports(1)
            rounds[name].append(start(port))
    figures = {name: by_name(found) for name, found in rounds.items()}
    ours = figures.pop(OURS)
    tables = {"startup" if name == TUTORIAL else name: _beside(name, ours, other) for name, other in figures.items()}
    size = image_megabytes()
    tables["imports"] = imports(setup.rounds)
    tables["container"] = Table(
        title="The container image",
        columns={"what": "", "size": "MB"},
        rows=[{"what": IMAGE, "size": figure([size]) if size is not None else "n/a"}],
    )
    notes = [] if TUTORIAL in sides else ["Without the tutorial's service; `make bench` installs its packages."]
    notes += [] if size is not None else [f"No Docker engine has an image {IMAGE} here, so its size is not shown."]
    return Section(tables=tables, checks=_checks(ours, figures.get(BEFORE)), notes=notes)


def _sides(setup: Setup) -> dict[str, Callable[[int], dict[str, float]]]:
    """Return functions that start and measure each side on a port."""
    bodies = [form(setup.uploads[:1], "file")] * (20 if setup.quick else 200)
    ours = partial(_start_ours, bodies)
    sides: dict[str, Callable[[int], dict[str, float]]] = {OURS: partial(ours, ROOT)}
    if setup.before is not None:
        sides[BEFORE] = partial(ours, setup.before)
    if PEERS_PYTHON.exists():
        sides[TUTORIAL] = partial(_start_tutorial, bodies, setup.tutorial)
    return sides


def _start_ours(bodies: Sequence[bytes], checkout: Path, port: int) -> dict[str, float]:
    return _start(port, [sys.executable, "-m", "app"], environment(OCR_PORT=port), [200], bodies, checkout)


def _start_tutorial(bodies: Sequence[bytes], model: Path, port: int) -> dict[str, float]:
    command = [str(PEERS_PYTHON), "-m", "uvicorn", "benchmarks.peers.tutorial_service:app", "--port", str(port)]
    # It has no probe; any answer means that its model is loaded.
    return _start(port, command, environment(MODEL=model), [404], bodies)


def _checks(ours: Mapping[str, Figure], before: Mapping[str, Figure] | None) -> list[Check]:
    if before is None:
        return []
    return [below("start to ready, ours ÷ before", ratio(ours["ready"], before["ready"]), WANTED)]


def _beside(name: str, ours: Mapping[str, Figure], theirs: Mapping[str, Figure]) -> Table:
    return Table(
        title="Starting",
        columns={"what": "", "ours": "ours", "other": name, "ratio": f"{name} ÷ ours"},
        rows=[
            {
                "what": title,
                "ours": ours[key],
                "other": theirs[key],
                "ratio": ratio(theirs[key], ours[key]),
            }
            for key, title in TITLES.items()
        ],
    )


def imports(rounds: int) -> Table:
    """Return the table of import times of the service's packages, without their own imports of other packages."""
    found = [_import_times() for _ in range(rounds)]
    names = sorted(found[0], key=lambda name: -statistics.median(one[name] for one in found))
    rest = [sum(one[name] for name in names[SHOWN:]) for one in found]
    rows: list[Row] = [{"package": name, "time": figure([one[name] for one in found])} for name in names[:SHOWN]]
    rows.append({"package": f"{len(names) - SHOWN} others", "time": figure(rest)})
    return Table(title="Imports of the service", columns={"package": "package", "time": "ms"}, rows=rows)


def _import_times() -> defaultdict[str, float]:
    command = [sys.executable, "-X", "importtime", "-c", SERVES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    times: defaultdict[str, float] = defaultdict(float)
    for microseconds, package in IMPORTED.findall(done.stderr):
        times[package] += int(microseconds) / 1000
    return times


def image_megabytes() -> float | None:
    """Return the size of the service's container image, if it has been built here."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    command = [docker, "image", "inspect", "--format", "{{.Size}}", IMAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout) / 1e6 if done.returncode == 0 else None


def _start(
    port: int,
    command: list[str],
    variables: Mapping[str, str],
    ready: Sequence[int],
    bodies: Sequence[bytes],
    folder: Path = ROOT,
) -> dict[str, float]:
    """Return milliseconds until ready, of the first and of a later request, and the final memory in megabytes."""
    started = time.perf_counter()
    with serve(command, variables, folder) as server:
        wait_for(server, port, "/readyz", ready)
        seconds, busy = time.perf_counter() - started, cpu_seconds(server.pid)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.connect()
        times = [_predict(connection, body) for body in bodies]
        connection.close()
        megabytes = memory(server.pid).together
    first, *later = (1000 * one for one in times)
    figures = {"first": first, "later": statistics.median(later), "memory": megabytes}
    return {"ready": 1000 * seconds, "cpu": 1000 * busy, **figures}


def _predict(connection: http.client.HTTPConnection, body: bytes) -> float:
    started = time.perf_counter()
    connection.request("POST", "/predict", body, {"Content-Type": FORM})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise BenchmarkError(f"POST /predict was answered with {response.status}")
    return time.perf_counter() - started
