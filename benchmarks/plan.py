"""Capacity for large loads: a queue simulated with measured times, and a calculated plan.

    python -m benchmarks.plan runs/bench/bench.json [--into docs/scaling.md]

Prints all tables, or replaces those of a document like `benchmarks.report`. `Assumptions` has all values that were not
measured.
"""

import argparse
import heapq
import json
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Table
from benchmarks.report import replace_tables, to_markdown

SIDE = "ours, raw body"
WORKERS = 2
MAX_WAITING = 64
REQUESTS = 100_000
UTILISATIONS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.2)
HOUR, DAY = 3600, 86_400


@dataclass(frozen=True)
class Assumptions:
    """Approximate prices and limits of a large public cloud; replace them with your own."""

    dollars_a_cpu_hour: float = 0.04
    """Per virtual processor (hardware thread, as measured here) with 2 GB of memory, on demand."""
    utilisation: float = 0.6
    """Of the processors at the busiest time; the rest is for lost nodes and bursts."""
    cpus_a_node: int = 16
    upload_bytes: int = 8_900
    answer_bytes: int = 900
    log_bytes: int = 230
    bulk_nodes: int = 32
    object_reads_a_second: int = 5_500
    """Reads that an object store serves per name prefix."""
    dollars_a_million_reads: float = 0.40
    read_seconds: float = 0.03
    """Latency of reading a small object."""


@dataclass(frozen=True)
class Waits:
    """Results of a simulation: sorted latencies in seconds, and the number of refused requests."""

    seconds: list[float]
    refused: int
    duration: float

    @property
    def per_second(self) -> float:
        """Answered requests per second."""
        return len(self.seconds) / self.duration

    def percentile(self, part: float) -> float:
        """Return a percentile in milliseconds."""
        return 1000 * self.seconds[min(len(self.seconds) - 1, int(part * len(self.seconds)))]


def simulate_clients(connections: int, service: float) -> Waits:
    """Simulate clients that send the next request after each answer, spread over workers that process them in order."""
    random_ = random.Random(0)  # noqa: S311 - chances, no secrets
    seconds: list[float] = []
    duration = 0.0
    for worker in range(WORKERS):
        clients = len(range(worker, connections, WORKERS))
        asked = deque([0.0] * clients)
        now = 0.0
        for _ in range(REQUESTS // WORKERS if clients else 0):
            began = asked.popleft()
            now += _service_time(random_, service)
            seconds.append(now - began)
            asked.append(now)
        duration = max(duration, now)
    return Waits(sorted(seconds), 0, duration)


def simulate_arrivals(per_second: float, workers: int, service: float) -> Waits:
    """Simulate Poisson arrivals, each at a random worker, which refuses requests when its queue is full."""
    random_ = random.Random(0)  # noqa: S311 - chances, no secrets
    ends: list[list[float]] = [[] for _ in range(workers)]  # end times of each worker's requests
    free = [0.0] * workers
    seconds: list[float] = []
    clock, refused = 0.0, 0
    for _ in range(REQUESTS):
        clock += random_.expovariate(per_second)
        worker = random_.randrange(workers)
        held = ends[worker]
        while held and held[0] <= clock:
            heapq.heappop(held)
        if len(held) > MAX_WAITING:
            refused += 1
            continue
        free[worker] = max(free[worker], clock) + _service_time(random_, service)
        heapq.heappush(held, free[worker])
        seconds.append(free[worker] - clock)
    return Waits(sorted(seconds), refused, clock)


def _service_time(random_: random.Random, mean: float) -> float:
    """Return a typical service time, occasionally longer: a garbage collection, another process."""
    return mean * (0.9 + random_.expovariate(10))


def tables(report: Mapping[str, Any], assumed: Assumptions) -> Iterator[tuple[str, Table]]:
    """Yield the tables and their names."""
    loads = {
        row["connections"]: row for row in report["sections"]["http"]["tables"]["http"]["rows"] if row["side"] == SIDE
    }
    service = loads[16]["cpu"]["median"] / 1000
    (read,) = (
        row["read"]["median"]
        for row in report["sections"]["read"]["tables"]["read"]["rows"]
        if row["what"].startswith("once")
    )
    yield "checked", _checked(loads, service)
    yield "queue", _queue(service)
    yield "service", _two_columns("10,000 uploads a second", _service_plan(service, assumed))
    yield "bulk", _two_columns("1,000,000,000 images", _bulk_plan(WORKERS / read, assumed))


def _checked(loads: Mapping[int, Mapping[str, Any]], service: float) -> Table:
    rows: list[Row] = []
    for connections, load in loads.items():
        simulated = simulate_clients(connections, service)
        rows.append(
            {
                "connections": connections,
                "per_second": f"{simulated.per_second:,.0f}",
                "measured": f"{load['per_second']['median']:,.0f}",
                "p50": f"{simulated.percentile(0.5):.1f}",
                "measured_p50": f"{load['p50']['median']:.1f}",
                "p99": f"{simulated.percentile(0.99):.1f}",
                "measured_p99": f"{load['p99']['median']:.1f}",
            }
        )
    columns = {
        "connections": "connections",
        "per_second": "requests/s, simulated",
        "measured": "measured",
        "p50": "p50 in ms, simulated",
        "measured_p50": "measured",
        "p99": "p99 in ms, simulated",
        "measured_p99": "measured",
    }
    title = f"Two workers that take {1000 * service:.2f} ms a request, simulated and measured"
    return Table(title=title, columns=columns, rows=rows)


def _queue(service: float) -> Table:
    rows: list[Row] = []
    for utilisation in UTILISATIONS:
        waits = simulate_arrivals(utilisation * WORKERS / service, WORKERS, service)
        rows.append(
            {
                "utilisation": f"{utilisation:.0%}",
                "p50": f"{waits.percentile(0.5):.1f}",
                "p99": f"{waits.percentile(0.99):.1f}",
                "p999": f"{waits.percentile(0.999):.1f}",
                "refused": f"{waits.refused / REQUESTS:.1%}",
            }
        )
    columns = {
        "utilisation": "utilisation",
        "p50": "p50, ms",
        "p99": "p99, ms",
        "p999": "p99.9, ms",
        "refused": "refused (503)",
    }
    return Table(title="Random (Poisson) uploads, simulated", columns=columns, rows=rows)


def _service_plan(service: float, assumed: Assumptions, per_second: int = 10_000) -> Sequence[tuple[str, str]]:
    cpus = per_second * service / assumed.utilisation
    nodes = -(-cpus // assumed.cpus_a_node)
    dollars = nodes * assumed.cpus_a_node * assumed.dollars_a_cpu_hour
    return [
        ("processor time per upload (measured)", f"{1000 * service:.2f} ms"),
        (f"processors at {assumed.utilisation:.0%} utilisation", f"{cpus:.0f}"),
        (f"nodes of {assumed.cpus_a_node} processors, plus one spare", f"{nodes:.0f} + 1"),
        ("cost per hour, without load balancers", f"${dollars:.2f}"),
        ("cost of a million uploads", f"${1e6 * dollars / HOUR / per_second:.3f}"),
        ("network in and out", f"{8e-9 * per_second * (assumed.upload_bytes + assumed.answer_bytes):.2f} Gbit/s"),
        ("log volume per day", f"{1e-9 * DAY * per_second * assumed.log_bytes:.0f} GB"),
    ]


def _bulk_plan(service: float, assumed: Assumptions, images: int = 1_000_000_000) -> Sequence[tuple[str, str]]:
    cpus = assumed.bulk_nodes * assumed.cpus_a_node
    per_second = cpus / service
    cpu_hours = images * service / HOUR
    return [
        ("processor time per image (measured)", f"{1000 * service:.2f} ms"),
        ("processor hours", f"{cpu_hours:,.0f}"),
        ("cost of the processors", f"${cpu_hours * assumed.dollars_a_cpu_hour:,.2f}"),
        ("cost of reading the objects", f"${1e-6 * images * assumed.dollars_a_million_reads:,.0f}"),
        (f"{assumed.bulk_nodes} nodes of {assumed.cpus_a_node} processors", f"{per_second:,.0f} images/s"),
        ("time, if the store keeps up", f"{images / per_second / 60:.0f} minutes"),
        ("name prefixes needed for these reads", f"{per_second / assumed.object_reads_a_second:.0f}"),
        ("time with a single prefix", f"{images / assumed.object_reads_a_second / HOUR:.0f} hours"),
        ("concurrent reads per node", f"{per_second * assumed.read_seconds / assumed.bulk_nodes:.0f}"),
        ("network into each node", f"{8e-9 * per_second * assumed.upload_bytes / assumed.bulk_nodes:.1f} Gbit/s"),
    ]


def _two_columns(title: str, lines: Sequence[tuple[str, str]]) -> Table:
    rows: list[Row] = [{"what": what, "value": value} for what, value in lines]
    return Table(title=title, columns={"what": "", "value": ""}, rows=rows)


def main() -> None:
    """Print the tables, or replace those of a document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("json", type=Path)
    parser.add_argument("--into", type=Path, help="document in which to replace the tables")
    options = parser.parse_args()
    report = json.loads(options.json.read_text(encoding="utf-8"))
    made = {name: to_markdown(table) for name, table in tables(report, Assumptions())}
    if options.into is None:
        print("\n\n".join(made.values()))
    else:
        document = options.into.read_text(encoding="utf-8")
        options.into.write_text(replace_tables(document, made), encoding="utf-8")


if __name__ == "__main__":
    main()
