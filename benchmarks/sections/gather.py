"""`POST /predict` with and without gathering: what `OCR_GATHER_MILLISECONDS` gains and costs on processors."""

import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks.common import ROOT, TUTORIAL, Setup, environment
from benchmarks.figures import Figure, Row, Section, Table, by_name, ratio
from benchmarks.sections.http import OURS, WORKERS, Server, check_answers, load_server
from benchmarks.servers import free_ports, serve, wait_for

PATH, PNG = "/predict", "image/png"
CONNECTIONS, FEW_CONNECTIONS = (1, 16, 64), (1, 16)
OFF, MILLISECONDS = 0, (0, 1, 2, 5)
OF_TUTORIAL = "tutorial's"

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
            servers[side] = Server(server.pid, port, PATH, setup.uploads, PNG)
        for (network, _), loaded in servers.items():
            check_answers(network, loaded, setup.uploads)
            load_server(loaded, max(counts), 1)
        rounds = [
            {
                (network, connections, milliseconds): load_server(loaded, connections, seconds)
                for connections in counts
                for (network, milliseconds), loaded in servers.items()
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
