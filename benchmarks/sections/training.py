"""Seconds per epoch, our default network and the tutorial's, each with its recipe, on the same drawn images.

With labelled images, also the minutes until the word error rate is as low as the tutorial reports.
"""

import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import ROOT, Setup, environment
from benchmarks.figures import BenchmarkError, Figure, Row, Section, Table, figure, ratio
from training.drawing.draw import draw_folder

IMAGES, FEW_IMAGES = 800, 200
ROUNDS = 2
# By architecture, the first and the last timed epoch. Ours has full augmentation by then, the other none yet.
TIMED_EPOCHS = {"conv_ctc": (3, 5), "resnet_blstm": (2, 2)}
TUTORIAL_WER = 0.0385
EPOCH = re.compile(r"^epoch +(\d+) .*WER +([\d.]+)%")
RATHER_OURS = (
    "The tutorial's network trains in our loop, whose CTC loss is a single kernel and which has not begun to augment; "
    "mltu's own data provider and loss are not measured."
)


def measure(setup: Setup) -> Section:
    """Time epochs of both networks in turn."""
    images = FEW_IMAGES if setup.quick else IMAGES
    data = setup.folder / "training"
    draw_folder(data, images)
    rounds = [
        {name: seconds_an_epoch(name, data, setup.folder / f"{name}-{index}") for name in TIMED_EPOCHS}
        for index in range(1 if setup.quick else min(ROUNDS, setup.rounds))
    ]
    ours, tutorial = (figure([one[name] for one in rounds]) for name in TIMED_EPOCHS)
    epochs = Table(
        title=f"An epoch of {images} images, a tenth of them for validation, seconds",
        columns={"ours": "conv_ctc (ours)", "tutorial": "resnet_blstm (tutorial)", "ratio": "tutorial ÷ ours"},
        rows=[{"ours": ours, "tutorial": tutorial, "ratio": ratio(tutorial, ours)}],
    )
    rows, notes = _times_to_wer(setup)
    goal = Table(
        title=f"Minutes until {TUTORIAL_WER:.2%} of the validation words, or fewer, are wrong",
        columns={"side": "", "minutes": "minutes", "epochs": "epochs"},
        rows=rows,
    )
    tables = {"epochs": epochs} | ({"time_to_wer": goal} if rows else {})
    return Section(tables=tables, checks=[], notes=[RATHER_OURS, *notes])


def seconds_an_epoch(architecture: str, data: Path, folder: Path) -> float:
    """Return the mean time of the timed epochs; the training is stopped after them."""
    first, last = TIMED_EPOCHS[architecture]
    ends: dict[int, float] = {}
    for epoch, _, seconds in epochs_of(architecture, data, folder, "--epochs", str(2 * last)):
        ends[epoch] = seconds
        if epoch == last:
            break
    return (ends[last] - ends[first - 1]) / (last - first + 1)


def epochs_of(architecture: str, data: Path, folder: Path, *options: str) -> Iterator[tuple[int, float, float]]:
    """Train; yield number, WER and seconds since the start for each epoch, and stop when the generator is closed.

    Raises:
        BenchmarkError: the training failed.
    """
    command = [sys.executable, "-m", "training", "train", "--data", str(data), "--architecture", architecture]
    command += ["--output", str(folder / "model"), "--run-dir", str(folder / "run"), *options]
    errors = folder.with_suffix(".log")
    started = time.perf_counter()
    with (
        errors.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(PYTHONUNBUFFERED=1, COLUMNS=120),
        ) as training,
    ):
        try:
            for line in training.stdout or ():
                if match := EPOCH.match(line):
                    yield int(match[1]), float(match[2]) / 100, time.perf_counter() - started
            training.wait()
        finally:
            training.kill()
    if training.returncode != 0:
        raise BenchmarkError(f"the training of {architecture} failed: {errors.read_text(encoding='utf-8')[-2000:]}")


def _times_to_wer(setup: Setup) -> tuple[list[Row], list[str]]:
    """Return a row for each requested side, and notes on the others."""
    rows: list[Row] = []
    notes = []
    if setup.data is None:
        notes.append("--data FOLDER of labelled images measures the minutes to the tutorial's word error rate.")
    else:
        for epoch, wer, seconds in epochs_of("conv_ctc", setup.data, setup.folder / "to-wer"):
            if wer <= TUTORIAL_WER:
                rows.append({"side": "ours", "minutes": figure([seconds / 60]), "epochs": epoch})
                break
        else:
            notes.append(f"Ours did not come to {TUTORIAL_WER:.2%}.")
    if setup.tutorial_run is None:
        notes.append("The tutorial's network is not trained to the end; --tutorial-run RUN reads a finished training.")
    else:
        reached, minutes = time_of_run(setup.tutorial_run)
        rows.append({"side": f"tutorial{'' if reached else ', never'}", "minutes": minutes, "epochs": reached})
    return rows, notes


def time_of_run(run: Path) -> tuple[int | None, Figure]:
    """Return the first epoch of a training with a low enough WER, and its minutes; without one, all minutes."""
    with (run / "history.csv").open(encoding="utf-8") as file:
        wers = [float(line["val_wer"]) for line in csv.DictReader(file)]
    seconds = json.loads((run / "run.json").read_text(encoding="utf-8"))["seconds"]
    reached = next((number for number, wer in enumerate(wers, 1) if wer <= TUTORIAL_WER), None)
    return reached, figure([seconds / 60 * (reached or len(wers)) / len(wers)])
