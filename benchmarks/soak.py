"""The service under mixed load for a long time: its memory, second by second, as a table and a plot.

    python -m benchmarks.soak [--minutes N] [--folder DIR]

Good and damaged images, large ones, forms and searches, from many connections. Ends with status 1 if an answer was
missing or wrong, or if memory grew by more than 50 MB after the first tenth of the time.
"""

import argparse
import csv
import itertools
import sys
import threading
import time
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import uvloop

from app.inference.images import decode_image
from benchmarks.common import ROOT
from benchmarks.faults import service
from benchmarks.load import LOST, Load, send_for, upload_request

CONNECTIONS = 24
MAX_GROWTH = 50.0
EXPECTED = {200, 413, 415, 422, 503}


def requests() -> list[bytes]:
    """One request for each connection: most of them small and good, as in life."""
    sample = (ROOT / "samples" / "ef2ec.png").read_bytes()
    large = cv2.imencode(".jpg", np.tile(decode_image(sample), (20, 8)))[1].tobytes()
    kinds = [
        upload_request(sample),
        upload_request(sample),
        upload_request(sample, "/predict?alternatives=3"),
        upload_request(large),
        upload_request(sample[:1000]),
        upload_request(b"no image at all"),
        upload_request(sample + bytes(2_000_000)),
        upload_request(sample, "/predict?length=5&charset=2345678bcdef"),
    ]
    return list(itertools.islice(itertools.cycle(kinds), CONNECTIONS))


def main() -> None:
    """Load it, watch it, draw it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks.soak"
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--folder", type=Path, default=Path("runs/soak"), help="for soak.csv and soak.png")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    load, trace = Load(), list[tuple[float, float]]()
    with service() as one:
        sending = send_for(load, one.port, requests(), 60 * arguments.minutes)
        sender = threading.Thread(target=uvloop.run, args=(sending,))
        sender.start()
        started = time.monotonic()
        while sender.is_alive():
            trace.append((round(time.monotonic() - started, 1), round(one.memory, 1)))
            sender.join(1)
    write_trace(trace, arguments.folder)
    settled = [megabytes for _, megabytes in trace[len(trace) // 10 :]]
    grown = settled[-1] - settled[0]
    counts = {status: len(times) for status, times in sorted(load.answers.items())}
    print(f"answers by status, {LOST} for none: {counts}")
    print(f"memory: {settled[0]:.0f} MB after a tenth of the time, {settled[-1]:.0f} MB in the end, {grown:+.0f} MB")
    print(f"written: {arguments.folder}/soak.csv, {arguments.folder}/soak.png")
    sys.exit(not (set(counts) <= EXPECTED and grown <= MAX_GROWTH))


def write_trace(trace: list[tuple[float, float]], folder: Path) -> None:
    """Write the memory over time as CSV and as a picture."""
    with (folder / "soak.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("seconds", "megabytes"), *trace])
    figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot([seconds / 60 for seconds, _ in trace], [megabytes for _, megabytes in trace])
    axes.set(xlabel="minutes", ylabel="MB (PSS of all processes)", title="Memory under mixed load", ylim=(0, None))
    figure.savefig(folder / "soak.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
