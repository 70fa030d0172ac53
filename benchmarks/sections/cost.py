"""Processor time per request and per image of a folder, compared with lower bounds and another revision.

Unlike requests per second, processor time is meaningful even on a busy machine.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common import ROOT, Setup, environment
from benchmarks.figures import Check, Figure, Row, Section, Table, at_least, figure, ratio, scaled
from benchmarks.reading import fill_folder, read_folder
from benchmarks.sections.http import ANY_ANSWER, Server, load_in_rounds
from benchmarks.servers import FORM, form, free_ports, serve, wait_for

ASGI, FASTAPI, BEFORE, OURS = "bare ASGI", "FastAPI, upload only", "before", "ours"
CONNECTIONS = (1, 16)
JUDGED = 16
IMAGES, FEW_IMAGES = 10_000, 1_000
START_IMAGES = 300  # few enough to measure startup, enough to start several processes
WANTED_REQUESTS, WANTED_BULK = 1.35, 1.5

Load = Mapping[str, Figure]


def measure(setup: Setup) -> Section:
    """Load each side with one worker, and read a folder with the command, in turn."""
    loads = measure_requests(setup)
    table, checks = requests_table(loads)
    bulk_table, bulk_checks = read_table(measure_reading(setup))
    return Section(tables={"cost_http": table, "cost_read": bulk_table}, checks=checks + bulk_checks, notes=[])


def measure_requests(setup: Setup) -> Mapping[tuple[int, str], Load]:
    """Return the results of each side at each number of connections."""
    forms = []
    for upload in setup.uploads:
        forms.append(setup.folder / f"{upload.stem}.cost.form")
        forms[-1].write_bytes(form([upload], "file"))
    seconds = 1 if setup.quick else 4
    with ExitStack() as stack:
        servers = _start_all(stack, setup, forms)
        return load_in_rounds(servers, CONNECTIONS, seconds, setup.rounds)


def _start_all(stack: ExitStack, setup: Setup, forms: Sequence[Path]) -> dict[str, Server]:
    uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log"]
    commands = {
        ASGI: ([*uvicorn, "benchmarks.peers.bare_service:app"], ROOT),
        FASTAPI: ([*uvicorn, "benchmarks.peers.upload_service:app"], ROOT),
        OURS: ([sys.executable, "-m", "app"], ROOT),
    }
    if setup.before is not None:
        commands[BEFORE] = ([sys.executable, "-m", "app"], setup.before)
    servers = {}
    for (name, (command, checkout)), port in zip(commands.items(), free_ports(len(commands)), strict=True):
        options = ["--port", str(port)] if command[2] == "uvicorn" else []
        process = stack.enter_context(serve([*command, *options], environment(OCR_WORKERS=1, OCR_PORT=port), checkout))
        wait_for(process, port, "/readyz", ANY_ANSWER)
        servers[name] = Server(process.pid, port, "/predict", forms, FORM)
    return servers


def requests_table(loads: Mapping[tuple[int, str], Load]) -> tuple[Table, list[Check]]:
    """Return the table of requests, and its checks."""
    rows: list[Row] = []
    checks: list[Check] = []
    for (count, name), load in loads.items():
        row: Row = {
            "connections": count,
            "side": name,
            "cpu": scaled(load["cpu"], 1000),
            "asgi": ratio(load["cpu"], loads[count, ASGI]["cpu"]),
            "fastapi": ratio(load["cpu"], loads[count, FASTAPI]["cpu"]),
            "per_second": load["per_second"],
            "p50": load["p50"],
        }
        rows.append(row)
    if (JUDGED, BEFORE) in loads:
        for what, faster in {
            "processor time per request, before ÷ ours": _times("cpu", loads, upside_down=True),
            "requests/s, ours ÷ before": _times("per_second", loads),
        }.items():
            checks.append(at_least(f"{what}, {JUDGED} connections", faster, WANTED_REQUESTS))
    columns = {
        "connections": "connections",
        "side": "",
        "cpu": "CPU per request, µs",
        "asgi": "÷ bare ASGI",
        "fastapi": "÷ FastAPI",
        "per_second": "requests/s",
        "p50": "p50, ms",
    }
    return Table(title="POST /predict, one worker", columns=columns, rows=rows), checks


def _times(what: str, loads: Mapping[tuple[int, str], Load], *, upside_down: bool = False) -> Figure:
    ours, before = loads[JUDGED, OURS][what], loads[JUDGED, BEFORE][what]
    return ratio(before, ours) if upside_down else ratio(ours, before)


def measure_reading(setup: Setup) -> dict[str, Figure]:
    """Return the processor time of each side per image, in microseconds, without startup."""
    images = FEW_IMAGES if setup.quick else IMAGES
    folder = fill_folder(setup.folder / "cost", setup.uploads, images)
    start_folder = fill_folder(setup.folder / "cost-start", setup.uploads, START_IMAGES)
    checkouts = {OURS: ROOT} | ({} if setup.before is None else {BEFORE: setup.before})
    costs: dict[str, list[float]] = {name: [] for name in checkouts}
    for _ in range(setup.rounds):
        for name, checkout in checkouts.items():
            whole = read_folder(folder, images, checkout=checkout).cpu_seconds
            start = read_folder(start_folder, START_IMAGES, checkout=checkout).cpu_seconds
            costs[name].append(1e6 * (whole - start) / (images - START_IMAGES))
    return {name: figure(values) for name, values in costs.items()}


def read_table(costs: Mapping[str, Figure]) -> tuple[Table, list[Check]]:
    """Return the table of `read`, and its checks."""
    table = Table(
        title="python -m app read",
        columns={"side": "", "cpu": "CPU per image, µs", "per_second": "images/s per processor"},
        rows=[
            {"side": name, "cpu": cost, "per_second": figure([1e6 / value for value in cost["rounds"]])}
            for name, cost in costs.items()
        ],
    )
    if BEFORE not in costs:
        return table, []
    return table, [at_least("images/s, read, ours ÷ before", ratio(costs[BEFORE], costs[OURS]), WANTED_BULK)]
