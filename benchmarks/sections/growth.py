"""How cost grows with the size of image, batch, vocabulary and folder; in processor time except for folders."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.decoding.beam import search_texts
from app.inference.images import decode_image
from app.inference.models.model import ImageToTextModel
from app.inference.reader import make_search
from benchmarks.common import AS_THE_DATA_SET, Setup
from benchmarks.figures import Check, Figure, Row, Section, Table, below, by_name, figure, ratio, scaled
from benchmarks.networks import widen_vocabulary
from benchmarks.peers.timer import time_steps
from benchmarks.reading import SKIPPED, can_read, fill_folder, read_folder
from training.drawing.draw import draw_captcha

ENLARGEMENTS = (1, 2, 4, 10)
BATCHES = (1, 4, 16, 64, 256)
VOCABULARIES = (10, 100, 1_000, 5_000)
FOLDERS, SMALL_FOLDERS = (1_000, 10_000, 100_000), (1_000, 4_000)
CHARACTERS, ALTERNATIVES = 5, 10
WANTED = {"text": ("greedy decoding", 1), "alternatives": ("10 alternatives", 25), "pattern": ("a pattern", 50)}
"""Maximum milliseconds for the largest vocabulary."""


def measure(setup: Setup) -> Section:
    """Measure each kind of growth separately; sizes take turns."""
    model = ImageToTextModel(setup.model)
    vocabulary, checks = vocabulary_table(setup)
    tables = {
        "growth_image": image_table(setup, model),
        "growth_batch": batch_table(setup, model),
        "growth_vocabulary": vocabulary,
    }
    if not can_read():
        return Section(tables=tables, checks=checks, notes=[SKIPPED])
    return Section(tables=tables | {"growth_folder": folder_table(setup)}, checks=checks, notes=[])


def image_table(setup: Setup, model: ImageToTextModel) -> Table:
    """Return the table of decoding and resizing larger and larger images."""
    files = {factor: _png(draw_captcha("b5wn6", 27, width=200 * factor, height=50 * factor)) for factor in ENLARGEMENTS}
    pixels = {factor: decode_image(data) for factor, data in files.items()}
    steps: dict[str, Callable[[], object]] = {}
    for factor in ENLARGEMENTS:
        steps[f"decode {factor}"] = partial(decode_image, files[factor])
        steps[f"resize {factor}"] = partial(model.prepare, [pixels[factor]])
    times = _time(setup, steps)
    rows: list[Row] = [
        {
            "size": f"{200 * factor}×{50 * factor}",
            "pixels": factor**2,
            "decode": times[f"decode {factor}"],
            "decode_ratio": ratio(times[f"decode {factor}"], times[f"decode {ENLARGEMENTS[0]}"]),
            "resize": times[f"resize {factor}"],
        }
        for factor in ENLARGEMENTS
    ]
    return Table(
        title="Growth with the image, RGBA PNG",
        columns={
            "size": "image",
            "pixels": "pixels, × the first",
            "decode": "decode, ms",
            "decode_ratio": "× the first",
            "resize": "resize, ms",
        },
        rows=rows,
    )


def batch_table(setup: Setup, model: ImageToTextModel) -> Table:
    """Return the table of the network's time for larger and larger batches."""
    pixels = decode_image(setup.uploads[0].read_bytes())
    batches = {size: model.prepare([pixels] * size) for size in BATCHES}
    times = _time(setup, {str(size): partial(model.run, batch) for size, batch in batches.items()})
    first = times[str(BATCHES[0])]
    rows: list[Row] = [
        {
            "batch": size,
            "run": times[str(size)],
            "ratio": ratio(times[str(size)], first),
            "image": scaled(times[str(size)], 1 / size),
        }
        for size in BATCHES
    ]
    columns = {"batch": "batch size", "run": "network, ms", "ratio": "× the first", "image": "ms per image"}
    return Table(title="Growth with the batch, one thread", columns=columns, rows=rows)


def vocabulary_table(setup: Setup) -> tuple[Table, list[Check]]:
    """Return the table of network and decoding time for larger and larger vocabularies, and its checks."""
    steps: dict[str, Callable[[], object]] = {}
    for size in VOCABULARIES:
        folder = setup.folder / f"vocabulary-{size}"
        widen_vocabulary(setup.model, size, folder)
        model = ImageToTextModel(folder)
        batch = model.prepare([decode_image(setup.uploads[0].read_bytes())])
        output, temperature = _short_text(model.steps, model.codec.classes), model.configs.calibration.temperature
        steps[f"run {size}"] = partial(model.run, batch)
        steps[f"text {size}"] = partial(model.codec.decode, output, temperature)
        searches = {
            "alternatives": make_search(model, alternatives=ALTERNATIVES),
            "pattern": make_search(model, pattern=f".{{{CHARACTERS}}}"),
        }
        for name, search in searches.items():
            if search is not None:
                steps[f"{name} {size}"] = partial(search_texts, model.codec, output, temperature, search)
    times = _time(setup, steps)
    rows: list[Row] = [
        {
            "vocabulary": size,
            "run": times[f"run {size}"],
            "run_ratio": ratio(times[f"run {size}"], times[f"run {VOCABULARIES[0]}"]),
            "text": times[f"text {size}"],
            "text_ratio": ratio(times[f"text {size}"], times[f"text {VOCABULARIES[0]}"]),
            "alternatives": times[f"alternatives {size}"],
            "pattern": times[f"pattern {size}"],
        }
        for size in VOCABULARIES
    ]
    largest = VOCABULARIES[-1]
    checks = [
        below(f"ms of {what}, {largest:,} characters", times[f"{name} {largest}"], limit)
        for name, (what, limit) in WANTED.items()
    ]
    table = Table(
        title=f"Growth with the vocabulary, an image of {CHARACTERS} characters",
        columns={
            "vocabulary": "characters known",
            "run": "network, ms",
            "run_ratio": "× the first",
            "text": "decode the text, ms",
            "text_ratio": "× the first",
            "alternatives": f"{ALTERNATIVES} alternatives, ms",
            "pattern": "a pattern, ms",
        },
        rows=rows,
    )
    return table, checks


def folder_table(setup: Setup) -> Table:
    """Return the table of `python -m app read` on larger and larger folders, each read once."""
    rows: list[Row] = []
    first: Figure | None = None
    for count in SMALL_FOLDERS if setup.quick else FOLDERS:
        reading = read_folder(fill_folder(setup.folder / f"growth-{count}", setup.uploads, count), count, watched=True)
        seconds = figure([reading.seconds])
        first = first or seconds
        rows.append(
            {
                "images": count,
                "seconds": seconds,
                "ratio": ratio(seconds, first),
                "per_second": figure([count / reading.seconds]),
                "megabytes": figure([reading.megabytes]),
            }
        )
    return Table(
        title="Growth with the folder, python -m app read, including startup",
        columns={
            "images": "images",
            "seconds": "seconds",
            "ratio": "× the first",
            "per_second": "images/s",
            "megabytes": "peak memory (PSS), MB",
        },
        rows=rows,
    )


def _time(setup: Setup, steps: Mapping[str, Callable[[], object]]) -> dict[str, Figure]:
    for step in steps.values():
        step()
    seconds = 0.03 if setup.quick else 0.15
    return by_name([time_steps(steps, seconds, time.process_time) for _ in range(setup.rounds)])


def _png(grey: NDArray[np.uint8]) -> bytes:
    """Return an image encoded like the data set's."""
    _, data = cv2.imencode(".png", cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA), AS_THE_DATA_SET)
    return bytes(data)


def _short_text(steps: int, classes: int) -> NDArray[Any]:
    """Return probabilities (1, steps, classes) that spell a text of a captcha's length; the blank is last."""
    logits = np.random.default_rng(0).normal(size=(1, steps, classes)).astype(np.float32)
    path = np.full(steps, classes - 1)
    path[:: steps // CHARACTERS] = np.arange(len(path[:: steps // CHARACTERS])) % (classes - 1)
    logits[0, np.arange(steps), path] += 20
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    return np.asarray(powers / powers.sum(axis=2, keepdims=True))
