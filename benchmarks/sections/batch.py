"""`POST /predict/batch`: throughput with HTTP, forms and JSON, relative to bare loops on two processors."""

import sys
from typing import Any

from benchmarks.common import Setup, environment
from benchmarks.figures import BenchmarkError, Section, Table, at_least, figure, ratio
from benchmarks.servers import FORM, form, free_ports, post, serve, wait_for
from benchmarks.sides import ceiling, open_ceiling
from benchmarks.wrk import generate

PATH = "/predict/batch"
WORKERS = 2
CONNECTIONS = 8  # enough to keep both workers busy however connections are distributed
WANTED = 0.75


def measure(setup: Setup) -> Section:
    """Load the service and run the bare loop in turn."""
    seconds = 1 if setup.quick else 3
    body = setup.folder / "batch.form"
    body.write_bytes(form(setup.uploads, "files"))
    (port,), images = free_ports(1), len(setup.uploads)
    served, most = [], []
    with (
        serve([sys.executable, "-m", "app"], environment(OCR_WORKERS=WORKERS, OCR_PORT=port)) as server,
        open_ceiling(setup.model, setup.uploads, seconds / 2) as sides,
    ):
        wait_for(server, port, "/readyz", [200])
        answer: Any = post(port, PATH, body.read_bytes(), FORM)
        if [result["text"] for result in answer["results"]] != [upload.stem for upload in setup.uploads]:
            raise BenchmarkError(f"POST {PATH} read wrong texts")
        generate(port, PATH, [body], FORM, connections=CONNECTIONS, seconds=seconds)  # until both workers serve
        for _ in range(setup.rounds):
            load = generate(port, PATH, [body], FORM, connections=CONNECTIONS, seconds=seconds)
            served.append(images * load.per_second)
            most.append(ceiling(sides, images))
    share = ratio(figure(served), figure(most))
    table = Table(
        title=f"POST {PATH}, {images} images a request, {WORKERS} workers, images a second",
        columns={"served": "ours", "ceiling": "bare loop in two processes", "share": "share"},
        rows=[{"served": figure(served), "ceiling": figure(most), "share": share}],
    )
    checks = [at_least(f"images/s, {PATH} ÷ bare loop", share, WANTED)]
    return Section(tables={"batch": table}, checks=checks, notes=[])
