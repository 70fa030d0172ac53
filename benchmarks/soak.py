"""A long test under mixed load: checks every answer, and records memory as a table and a plot.

    python -m benchmarks.soak [--hours N] [--rate N] [--folder DIR]

Sends valid images of every format, damaged and large ones, forms, searches and batches. Some clients send slowly, read
slowly, or disconnect during a request or before its answer. Once a minute a model is replaced and the models are
reloaded. Exits with status 1 if an answer was missing or wrong, or if memory grew: the median of the last tenth may
exceed that of the second tenth by 2 %.
"""

import argparse
import asyncio
import csv
import itertools
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
import matplotlib.pyplot as plt

from benchmarks.common import ROOT
from benchmarks.faults import KEY, Service, service
from benchmarks.servers import cpu_seconds
from benchmarks.soak_requests import OTHER_MODEL, Outcome, Request, Requests, send

CONNECTIONS = 24
RELOAD_SECONDS = 60.0
LOOK_SECONDS = 5.0
PATIENCE = 240.0  # seconds until an answer counts as missing
LONG_DEADLINES = {"OCR_HEAD_TIMEOUT": "120", "OCR_BODY_TIMEOUT": "120"}
"""On a busy machine, well-behaved clients are slow, too."""
MAX_GROWTH = 0.02
POINTS = 500
WRONG_SHOWN = 20

Trace = Sequence[tuple[float, float]]
"""Seconds since the start, and megabytes."""


@dataclass
class Soak:
    """The results so far."""

    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    trace: list[tuple[float, float]] = field(default_factory=list)

    def add(self, label: str, outcome: Outcome, wrong: str = "") -> None:
        """Count a request, and print the first failures."""
        self.outcomes[label, outcome] += 1
        if outcome is Outcome.WRONG and self.count(Outcome.WRONG) <= WRONG_SHOWN:
            print(f"{datetime.now(UTC):%H:%M:%S} UTC, wrong: {label}: {wrong}", flush=True)

    def count(self, outcome: Outcome) -> int:
        """Return the number of requests with this outcome."""
        return sum(count for (_, each), count in self.outcomes.items() if each is outcome)


def main() -> None:
    """Run the test and write its results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks.soak"
    )
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--rate", type=float, default=40, help="maximum requests per second")
    parser.add_argument("--folder", type=Path, default=Path("runs/soak"), help="folder for soak.csv and soak.png")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        shutil.copytree(ROOT / "model_store", store)
        replace_model(store, 0)
        with service(OCR_MODEL_STORE=str(store), **LONG_DEADLINES) as one:
            before = cpu_seconds(one.process.pid)
            soak = asyncio.run(run(one, store, 3600 * arguments.hours, arguments.rate))
            spent = cpu_seconds(one.process.pid) - before
    write_trace(downsampled(soak.trace), arguments.folder)
    print_outcomes(soak)
    tenths = [megabytes for _, megabytes in downsampled(soak.trace, 10)]
    grown = growth(soak.trace)
    print(f"{spent:.0f} s of a processor in {3600 * arguments.hours:.0f} s")
    print(f"memory, the median of each tenth of the time: {', '.join(f'{each:.1f}' for each in tenths)} MB")
    print(f"after the first tenth {100 * grown:+.1f} %")
    print(f"written: {arguments.folder}/soak.csv, {arguments.folder}/soak.png")
    sys.exit(soak.count(Outcome.WRONG) > 0 or grown > MAX_GROWTH)


async def run(one: Service, store: Path, seconds: float, rate: float) -> Soak:
    """Send requests at a fixed rate, record the memory, and reload the models."""
    soak, requests = Soak(), iter(Requests(one.port))
    due_times = _schedule(rate)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{one.port}", timeout=PATIENCE) as client:
        others = [
            asyncio.create_task(_watch_memory(one, soak)),
            asyncio.create_task(_reload(one, store, client, soak)),
        ]
        end = time.monotonic() + seconds
        await asyncio.gather(*(_keep_sending(client, requests, due_times, soak, end) for _ in range(CONNECTIONS)))
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    return soak


def growth(trace: Trace) -> float:
    """Return the relative increase of the median from the second to the last tenth of the time."""
    tenths = downsampled(trace, 10)
    return tenths[-1][1] / tenths[min(1, len(tenths) - 1)][1] - 1


def downsampled(trace: Trace, most: int = POINTS) -> Trace:
    """Return the medians of at most `most` equal parts."""
    count = min(most, len(trace))
    borders = [round(number * len(trace) / count) for number in range(count + 1)]
    parts = [trace[start:end] for start, end in itertools.pairwise(borders)]
    return [(part[-1][0], round(median(megabytes for _, megabytes in part), 1)) for part in parts]


def print_outcomes(soak: Soak) -> None:
    """Print the number of requests by kind and outcome."""
    labels = sorted({label for label, _ in soak.outcomes})
    print(f"{'':<32}" + "".join(f"{outcome.value:>10}" for outcome in Outcome))
    for label in labels:
        print(f"{label:<32}" + "".join(f"{soak.outcomes[label, outcome]:>10,}" for outcome in Outcome))
    print(f"{'together':<32}" + "".join(f"{soak.count(outcome):>10,}" for outcome in Outcome))


def write_trace(trace: Trace, folder: Path) -> None:
    """Write the memory over time as CSV and as a plot."""
    with (folder / "soak.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("seconds", "megabytes"), *trace])
    figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot([seconds / 60 for seconds, _ in trace], [megabytes for _, megabytes in trace])
    axes.set(
        xlabel="minutes",
        ylabel="MB (PSS of all processes without files)",
        title="Memory under mixed load",
        ylim=(0, None),
    )
    figure.savefig(folder / "soak.png", dpi=100)
    plt.close(figure)


async def _keep_sending(
    client: httpx.AsyncClient, requests: Iterator[Request], due_times: Iterator[float], soak: Soak, end: float
) -> None:
    while (due := next(due_times)) < end:
        await asyncio.sleep(due - time.monotonic())
        request = next(requests)
        soak.add(request.label, *await send(client, request))


def _schedule(rate: float) -> Iterator[float]:
    """Yield when the next request is due; missed requests are not made up for."""
    due = time.monotonic()
    while True:
        due = max(due + 1 / rate, time.monotonic())
        yield due


async def _watch_memory(one: Service, soak: Soak) -> None:
    started = time.monotonic()
    while True:
        soak.trace.append((round(time.monotonic() - started, 1), round(one.own_memory, 1)))
        await asyncio.sleep(LOOK_SECONDS)


async def _reload(one: Service, store: Path, client: httpx.AsyncClient, soak: Soak) -> None:
    """Replace a model repeatedly, and reload by signal and by request in turn."""
    number = 0
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        number += 1
        replace_model(store, number)
        if number % 2:
            one.process.send_signal(signal.SIGHUP)
            soak.add("reload by signal", Outcome.RIGHT)
            continue
        answer = await client.post("/models/reload", headers={"Authorization": f"Bearer {KEY}"})
        right = answer.status_code == 200 and not answer.json().get("broken")
        soak.add("reload by request", Outcome.RIGHT if right else Outcome.WRONG, answer.text)


def replace_model(store: Path, number: int) -> None:
    """Put a version of the other model in place of the previous one."""
    model = store / OTHER_MODEL
    shutil.copytree(next((ROOT / "model_store" / "captcha").iterdir()), model / f".{number}")
    (model / f".{number}").rename(model / str(number))
    shutil.rmtree(model / str(number - 1), ignore_errors=True)


if __name__ == "__main__":
    main()
