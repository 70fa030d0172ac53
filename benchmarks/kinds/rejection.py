"""Rejection: how many foreign images models accept, and how many of their own they lose."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import BenchmarkError, Row, Table
from benchmarks.kinds.cells import NONE, Result
from benchmarks.kinds.folders import Kind
from benchmarks.kinds.no_text import WITHOUT_TEXT, draw_without_text
from benchmarks.kinds.processes import Processors, Shares, run_on
from benchmarks.kinds.scores import interval, plain
from training.data.dataset import Sample

MIN_CONFIDENCE = 0.9
DRAWN = 200
"""Number of blank images, and number of noise images."""
OTHER_KINDS = "other kinds"
GROUPS = (OTHER_KINDS, *WITHOUT_TEXT)
SOME_ERRORS = 1


@dataclass(frozen=True)
class Rejection:
    """How many images a model accepted.

    Attributes:
        model: the kind that it was trained on, or "general".
        right: number of its own images read correctly, ignoring case.
        lost: how many of these are not accepted.
        wrong: number of its own images read incorrectly or not at all.
        wrong_accepted: how many of these are accepted.
        foreign: number of foreign images in each group.
        accepted: how many of these are accepted.
        accepted_right: accepted images of other kinds that are read correctly nevertheless.
    """

    model: str
    right: int
    lost: int
    wrong: int
    wrong_accepted: int
    foreign: dict[str, int]
    accepted: dict[str, int]
    accepted_right: int


async def measure_rejections(
    labels: str, kinds: Sequence[Kind], results: Mapping[str, Result], folder: Path, jobs: int
) -> list[Rejection]:
    """Let each kind's model read all kinds' images; or the general model, for which no kind is foreign.

    Args:
        labels: number of labels that the models were trained with.
        kinds: kinds whose test images are read.
        results: by kind; kinds without a model are skipped.
        folder: gets the drawn images and the readings.
        jobs: number of commands at the same time.

    Raises:
        BenchmarkError: a command fails.
    """
    shares = Shares(jobs)

    async def measured(name: str, model: str, own: Sequence[Sample], others: Sequence[Sample]) -> Rejection:
        async with shares.take() as processors:
            return await measure_rejection(name, Path(model), own, others, folder / labels / name, processors)

    models = {kind.name: results[kind.name]["model"] for kind in kinds if "model" in results[kind.name]}
    every = [sample for kind in kinds for sample in kind.test]
    if labels == NONE:
        measurements = [measured("general", model, every, []) for model in list(models.values())[:1]]
    else:
        measurements = [
            measured(kind.name, models[kind.name], kind.test, [one for one in every if one not in kind.test])
            for kind in kinds
            if kind.name in models
        ]
    return await asyncio.gather(*measurements)


async def measure_rejection(
    name: str, model: Path, own: Sequence[Sample], others: Sequence[Sample], folder: Path, processors: Processors
) -> Rejection:
    """Let `python -m app read` read images with a model, plus blank images and noise of the same sizes.

    Args:
        name: name of the model, for the result.
        model: its folder.
        own: images of the model's kind.
        others: images of other kinds.
        folder: gets the drawn images and the readings.
        processors: processors for the command.

    Raises:
        BenchmarkError: the command fails.
    """
    drawn = {group: draw_without_text(draw, own, folder / group, DRAWN) for group, draw in WITHOUT_TEXT.items()}
    paths = [sample.path for sample in [*own, *others]] + [path for group in drawn.values() for path in group]
    readings = await _read(model, paths, folder / "readings.jsonl", processors)

    def is_right(sample: Sample) -> bool:
        return plain(readings[sample.path]["text"] or "") == plain(sample.label)

    def accepted(paths: Iterable[Path]) -> int:
        return sum(bool(readings[path]["accepted"]) for path in paths)

    right = [sample.path for sample in own if is_right(sample)]
    wrong = [sample.path for sample in own if not is_right(sample)]
    foreign = {OTHER_KINDS: [sample.path for sample in others], **drawn}
    return Rejection(
        model=name,
        right=len(right),
        lost=len(right) - accepted(right),
        wrong=len(wrong),
        wrong_accepted=accepted(wrong),
        foreign={group: len(paths) for group, paths in foreign.items()},
        accepted={group: accepted(paths) for group, paths in foreign.items()},
        accepted_right=accepted(sample.path for sample in others if is_right(sample)),
    )


def rejection_table(labels: str, rejections: Sequence[Rejection]) -> Table:
    """Return a table with a row per model, and one for all together with 95 % intervals."""
    columns = {"model": "", "lost": "good images lost", "wrong": "wrong readings accepted"}
    columns |= {group: f"{group} accepted" for group in GROUPS} | {"right": "of other kinds, read right"}
    rows = [_row(one) for one in rejections]
    together = _sum(rejections)
    rows.append(
        _row(together)
        | {"lost": _share(together.lost, together.right), "wrong": _share(together.wrong_accepted, together.wrong)}
        | {group: _share(together.accepted[group], together.foreign[group]) for group in GROUPS}
    )
    return Table(
        title=f"Accepted with a confidence of {MIN_CONFIDENCE} and more, {labels} labels", columns=columns, rows=rows
    )


async def _read(model: Path, paths: Sequence[Path], output: Path, processors: Processors) -> dict[Path, dict[str, Any]]:
    """Return the rows of the reading command by path, in the order of the paths."""
    command: list[str | Path] = [sys.executable, "-m", "app", "read", "--output", output, "--force", "--restart"]
    command += ["--model", model.parent.name, "--model-version", model.name, "--min-confidence", str(MIN_CONFIDENCE)]
    store = {"OCR_MODEL_STORE": model.parents[1]}
    await run_on(processors, [*command, *paths], variables=store, also_fine=SOME_ERRORS)
    return _read_rows(output, paths)


def _read_rows(output: Path, paths: Sequence[Path]) -> dict[Path, dict[str, Any]]:
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    if [row["path"] for row in rows] != [str(path) for path in paths]:
        raise BenchmarkError(f"python -m app read wrote {len(rows)} rows for {len(paths)} images, or in another order")
    return dict(zip(paths, rows, strict=True))


def _sum(rejections: Sequence[Rejection]) -> Rejection:
    return Rejection(
        model="**all together**",
        right=sum(one.right for one in rejections),
        lost=sum(one.lost for one in rejections),
        wrong=sum(one.wrong for one in rejections),
        wrong_accepted=sum(one.wrong_accepted for one in rejections),
        foreign={group: sum(one.foreign[group] for one in rejections) for group in GROUPS},
        accepted={group: sum(one.accepted[group] for one in rejections) for group in GROUPS},
        accepted_right=sum(one.accepted_right for one in rejections),
    )


def _row(one: Rejection) -> Row:
    return {
        "model": one.model,
        "lost": f"{one.lost} of {one.right}",
        "wrong": f"{one.wrong_accepted} of {one.wrong}",
        **{group: f"{one.accepted[group]} of {one.foreign[group]}" for group in GROUPS},
        "right": str(one.accepted_right),
    }


def _share(part: int, whole: int) -> str:
    if whole == 0:
        return "–"
    low, high = interval(part, whole)
    return f"{part} of {whole} ({part / whole:.2%}; {low:.2%} to {high:.2%})"
