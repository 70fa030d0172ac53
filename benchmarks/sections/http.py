"""`POST /predict` over sockets, with two workers and the load generator on the same processors."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.common import PEERS_PYTHON, Setup, environment
from benchmarks.figures import (
    BenchmarkError,
    Check,
    Figure,
    Row,
    Section,
    Table,
    at_least,
    below,
    by_name,
    figure,
    ratio,
)
from benchmarks.servers import FORM, cpu_seconds, form, free_ports, memory, post, serve, wait_for
from benchmarks.wrk import generate

WORKERS = 2
CONNECTIONS, FEW_CONNECTIONS = (1, 4, 16, 64), (1, 16)
JUDGED = 16  # connections, for the checks
WANTED_TAIL = 4
ANY_ANSWER = (200, 404)
OURS, RAW = "ours", "ours, raw body"
LITSERVE, NOTHING = "LitServe with our model", "FastAPI, upload only"
LEFT, STANDARD = "tutorial", "tutorial, uvloop and httptools"
TUNED, IN_THREADS = "tutorial, tuned", "tutorial, tuned, def"
TUTORIALS = (LEFT, STANDARD, TUNED, IN_THREADS)
SIDES = (*TUTORIALS, NOTHING, LITSERVE, OURS, RAW)
WANTED = {OURS: 6, RAW: 8}


@dataclass(frozen=True)
class Server:
    """A running server, and the request bodies for it."""

    pid: int
    port: int
    path: str
    bodies: Sequence[Path]
    content_type: str


def measure(setup: Setup) -> Section:
    """Load each side in turn, at each number of connections, once per round."""
    seconds = 1 if setup.quick else 2
    connections = FEW_CONNECTIONS if setup.quick else CONNECTIONS
    forms = []
    for upload in setup.uploads:
        forms.append(setup.folder / f"{upload.stem}.form")
        forms[-1].write_bytes(form([upload], "file"))
    with ExitStack() as stack:
        servers = {name: _start(stack, *one, forms) for name, one in commands(setup).items()}
        loaded = servers | {
            IN_THREADS: replace(servers[TUNED], path="/predict-in-thread"),
            RAW: replace(servers[OURS], bodies=setup.uploads, content_type="image/png"),
        }
        loaded = {name: loaded[name] for name in SIDES}
        for name, server in loaded.items():
            check_answers(name, server, setup.uploads)
        loads = load_in_rounds(loaded, connections, seconds, setup.rounds)
        memories = [_memory_row(name, server.pid) for name, server in servers.items()]
    return report(loads, memories)


def commands(setup: Setup) -> dict[str, tuple[int, list[str], Mapping[str, str]]]:
    """Return each side's port, command and environment."""
    ports = free_ports(6)
    python = str(PEERS_PYTHON)
    uvicorn = [python, "-m", "uvicorn", "--workers", str(WORKERS)]
    tutorial = "benchmarks.peers.tutorial_service:app"
    upload_only = "benchmarks.peers.upload_service:app"
    litserve = [python, "-m", "benchmarks.peers.litserve_service", str(setup.model), str(ports[3])]
    plain = [*uvicorn, "--loop", "asyncio", "--http", "h11"]  # the defaults of `pip install uvicorn`
    # Our service does not log requests either.
    quiet = [*uvicorn, "--no-access-log"]
    weights = environment(MODEL=setup.tutorial)
    return {
        LEFT: (ports[0], [*plain, "--port", str(ports[0]), tutorial], weights),
        STANDARD: (ports[5], [*uvicorn, "--port", str(ports[5]), tutorial], weights),
        TUNED: (ports[1], [*quiet, "--port", str(ports[1]), tutorial], environment(MODEL=setup.tutorial, THREADS=1)),
        NOTHING: (ports[2], [*quiet, "--port", str(ports[2]), upload_only], environment()),
        LITSERVE: (ports[3], litserve, environment()),
        OURS: (ports[4], [sys.executable, "-m", "app"], environment(OCR_WORKERS=WORKERS, OCR_PORT=ports[4])),
    }


def report(loads: Mapping[tuple[int, str], Mapping[str, Figure]], memories: list[Row]) -> Section:
    """Return the section, from each side's figures at each number of connections."""
    rows: list[Row] = []
    checks: list[Check] = []
    for (connections, name), load in loads.items():
        references = [loads[connections, tutorial]["per_second"] for tutorial in TUTORIALS]
        times = ratio(load["per_second"], max(references, key=lambda reference: reference["median"]))
        untuned = {side: ratio(load["per_second"], loads[connections, side]["per_second"]) for side in (LEFT, STANDARD)}
        rows.append({"connections": connections, "side": name, **load, "ratio": times, "left_ratio": untuned[LEFT]})
        if connections == JUDGED and name in WANTED:
            for side, times_side in untuned.items():
                checks.append(at_least(f"requests/s, {name} ÷ {side}, {JUDGED} connections", times_side, WANTED[name]))
            tail = ratio(load["p99"], load["p50"])
            checks.append(below(f"p99 ÷ p50, {name}, {JUDGED} connections", tail, WANTED_TAIL))
    columns = {
        "connections": "connections",
        "side": "",
        "per_second": "requests/s",
        "ratio": "÷ the fastest tutorial",
        "left_ratio": "÷ the default tutorial",
        "p50": "p50, ms",
        "p99": "p99, ms",
        "cpu": "CPU per request, ms",
    }
    memory_columns = {
        "side": "",
        "processes": "processes",
        "largest": "RSS of the largest, MB",
        "together": "PSS of all, MB",
    }
    return Section(
        tables={
            "http": Table(title=f"POST /predict, {WORKERS} workers", columns=columns, rows=rows),
            "memory": Table(title="Memory after the load", columns=memory_columns, rows=memories),
        },
        checks=checks,
        notes=[
            "The tutorial's service is measured in three versions: by default (async def, as many threads as "
            "processors, a log line per request, uvicorn with h11 and asyncio); with uvloop and httptools "
            "(uvicorn[standard]); and tuned (also one thread per worker, no request log, async def or def). All sides "
            "log to /dev/null. The raw body is compared with the tutorial's form, as its service accepts only forms.",
        ],
    )


def _start(
    stack: ExitStack, port: int, command: list[str], variables: Mapping[str, str], forms: Sequence[Path]
) -> Server:
    process = stack.enter_context(serve(command, variables))
    wait_for(process, port, "/readyz", ANY_ANSWER)
    return Server(process.pid, port, "/predict", forms, FORM)


def check_answers(name: str, server: Server, uploads: Sequence[Path]) -> None:
    """Fail unless all uploads are answered, and read correctly where our model reads."""
    for upload, body in zip(uploads, server.bodies, strict=True):
        answer: Any = post(server.port, server.path, body.read_bytes(), server.content_type)
        if name in {OURS, RAW, LITSERVE} and answer["text"] != upload.stem:
            raise BenchmarkError(f"{name} read {answer['text']!r} where {upload.stem!r} is written")


def load_in_rounds(
    servers: Mapping[str, Server], connections: Sequence[int], seconds: float, rounds: int
) -> Mapping[tuple[int, str], Mapping[str, Figure]]:
    """Load each warmed-up server in every round; return figures of `load_server` by connections and side."""
    for server in servers.values():
        load_server(server, JUDGED, 1)
    measured = [
        {
            (count, name): load_server(server, count, seconds)
            for count in connections
            for name, server in servers.items()
        }
        for _ in range(rounds)
    ]
    return {key: by_name([one[key] for one in measured]) for key in measured[0]}


def load_server(server: Server, connections: int, seconds: float) -> dict[str, float]:
    """Return requests per second, and latencies and processor time per request in milliseconds."""
    before = cpu_seconds(server.pid)
    load = generate(
        server.port, server.path, server.bodies, server.content_type, connections=connections, seconds=seconds
    )
    cpu = 1000 * (cpu_seconds(server.pid) - before) / load.requests
    return {"per_second": load.per_second, "p50": load.p50, "p99": load.p99, "cpu": cpu}


def _memory_row(name: str, pid: int) -> Row:
    held = memory(pid)
    return {
        "side": name,
        "processes": held.processes,
        "largest": figure([held.largest]),
        "together": figure([held.together]),
    }
