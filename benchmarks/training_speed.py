"""Speed of a training on one processor and on all.

    python -m benchmarks.training_speed [--images N] [--epochs N] [--rounds N] [--train-options '--OPTION …']

Draws captchas, trains the default network on them, on one processor and on all in turn, and prints the seconds per
epoch and their ratio. The first epoch is not counted because it includes preparations.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.family_images import FAMILIES, draw_family
from training.evaluation.markdown import table

FAMILY = "web-captcha"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--images", type=int, default=100, help="training images [default: 100]")
    parser.add_argument("--epochs", type=int, default=8, help="epochs per training [default: 8]")
    parser.add_argument("--rounds", type=int, default=3, help="trainings on one and on all processors [default: 3]")
    parser.add_argument(
        "--train-options", type=shlex.split, default=[], metavar="'--OPTION …'", help="options for the trainings"
    )
    options = parser.parse_args()
    every = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images"
        draw_family(FAMILIES[FAMILY], data, options.images)
        one, all_of_them = [], []
        for number in range(options.rounds):
            places = [Path(folder) / f"{which}-{number}" for which in ("one", "all")]
            one.append(seconds_an_epoch(data, places[0], options.epochs, every[:1], options.train_options))
            all_of_them.append(seconds_an_epoch(data, places[1], options.epochs, every, options.train_options))
    ratios = [alone / together for alone, together in zip(one, all_of_them, strict=True)]
    rows = [
        ("1", f"{statistics.median(one):.2f}", ""),
        (f"{len(every)}", f"{statistics.median(all_of_them):.2f}", f"{statistics.median(ratios):.2f}"),
    ]
    print(table(("processors", "seconds per epoch", "times as fast"), rows))


def seconds_an_epoch(
    data: Path, place: Path, epochs: int, processors: Iterable[int], train_options: Iterable[str]
) -> float:
    """Train on some processors, and return the seconds per epoch after the first."""
    command = [sys.executable, "-m", "training", "train", "--data", str(data), "--epochs", str(epochs), "--events"]
    command += ["--output", str(place / "model" / "1"), "--run-dir", str(place / "run"), *train_options]
    times: list[float] = []
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)  # the training inherits it
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(0, before)
        for line in process.stdout or ():
            if json.loads(line)["event"] == "epoch":
                times.append(time.perf_counter())
            if len(times) == epochs:
                break
        process.kill()  # the export is not measured
    return (times[-1] - times[0]) / (len(times) - 1)


if __name__ == "__main__":
    main()
