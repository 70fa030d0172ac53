"""`POST /predict` with and without gathering: what `OCR_GATHER_MILLISECONDS` gains and costs on processors."""

import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from benchmarks.common import ROOT, TUTORIAL, Setup, environment
from benchmarks.figures import BenchmarkError, Figure, Row, Section, Table, by_name, ratio
from benchmarks.servers import cpu_seconds, free_ports, post, serve, wait_for
from benchmarks.wrk import generate

PATH, PNG = "/predict", "image/png"
WORKERS = 2
CONNECTIONS, FEW_CONNECTIONS = (1, 16, 64), (1, 16)
OFF, MILLISECONDS = 0, (0, 1, 2, 5)
OURS, OF_TUTORIAL = "ours", "tutorial's"

Key = tuple[str, int, int]
"""Whose network, how many connections, and how many milliseconds are waited."""


def measure(setup: Setup) -> Section:
    """Load our service with each network and each wait in turn, at each number of connections, once a round."""
    seconds = 1 if setup.quick else 2
    counts = FEW_CONNECTIONS if setup.quick else CONNECTIONS
    store = setup.folder / "gather_store"
    shutil.copytree(setup.tutorial, store / TUTORIAL / "1")
    models = {OURS: (ROOT / "model_store", setup.model.parent.name), OF_TUTORIAL: (store, TUTORIAL)}
    sides = [(network, milliseconds) for network in models for milliseconds in MILLISECONDS]
    servers = {}
    with ExitStack() as stack:
        for side, port in zip(sides, free_ports(len(sides)), strict=True):
            network, milliseconds = side
            folder, name = models[network]
            variables = environment(
                OCR_WORKERS=WORKERS,
                OCR_PORT=port,
                OCR_MODEL_STORE=folder,
                OCR_DEFAULT_MODEL=name,
                OCR_GATHER_MILLISECONDS=milliseconds,
            )
            server = stack.enter_context(serve([sys.executable, "-m", "app"], variables))
            wait_for(server, port, "/readyz", [200])
            servers[side] = (server.pid, port)
        for (network, _), (pid, port) in servers.items():
            _check_answers(setup, network, port)
            _load(setup, pid, port, max(counts), 1)
        rounds = [
            {
                (network, connections, milliseconds): _load(setup, *server, connections, seconds)
                for connections in counts
                for (network, milliseconds), server in servers.items()
            }
            for _ in range(setup.rounds)
        ]
    return report({key: by_name([one[key] for one in rounds]) for key in rounds[0]})


def report(loads: Mapping[Key, Mapping[str, Figure]]) -> Section:
    """The section, from what each side did at each number of connections."""
    rows: list[Row] = [
        {
            "network": network,
            "connections": connections,
            "wait": "off" if milliseconds == OFF else f"{milliseconds} ms",
            **load,
            "ratio": ratio(load["per_second"], loads[network, connections, OFF]["per_second"]),
        }
        for (network, connections, milliseconds), load in sorted(loads.items(), key=lambda one: one[0])
    ]
    columns = {
        "network": "network",
        "connections": "connections",
        "wait": "gathering",
        "per_second": "requests/s",
        "ratio": "÷ off",
        "p50": "p50, ms",
        "p99": "p99, ms",
        "cpu": "CPU a request, ms",
    }
    title = f"POST {PATH}, raw body, {WORKERS} workers"
    return Section(tables={"gather": Table(title=title, columns=columns, rows=rows)}, checks=[], notes=[])


def _check_answers(setup: Setup, network: str, port: int) -> None:
    """Fail unless every upload is answered, and read right where our network reads."""
    for upload in setup.uploads:
        answer: Any = post(port, PATH, upload.read_bytes(), PNG)
        if network == OURS and answer["text"] != upload.stem:
            raise BenchmarkError(f"POST {PATH} read {answer['text']!r} where {upload.stem!r} is written")


def _load(setup: Setup, pid: int, port: int, connections: int, seconds: float) -> dict[str, float]:
    before = cpu_seconds(pid)
    load = generate(port, PATH, setup.uploads, PNG, connections=connections, seconds=seconds)
    cpu = 1000 * (cpu_seconds(pid) - before) / load.requests
    return {"per_second": load.per_second, "p50": load.p50, "p99": load.p99, "cpu": cpu}
