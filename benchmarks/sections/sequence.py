"""The stages of reading in the sequence of a request and of `read`.

In a loop of its own, each stage finds its code in the processor's caches, and takes half as long as in a request.
"""

import io
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

import numpy as np
from PIL import Image
from pydantic_core import to_json

from app.bulk.formats import write_output
from app.bulk.job import CHUNK, Chunk, Job
from app.bulk.reader import open_reader
from app.inference.images import ImageLimits, check_image, load_image
from app.inference.models.model import BATCH_IMAGES, GROUP_IMAGES, ImageToTextModel
from app.shared.stopwatch import Stopwatch
from benchmarks.common import ROOT, Setup
from benchmarks.figures import Row, Section, Table, by_name, figure
from benchmarks.reading import fill_folder

STAGES = {"check": "check", "decode": "decode, resize", "run": "network", "text": "text, boxes", "render": "JSON"}
FOLDER_STAGES = {
    "load": "open, read",
    "check": "check",
    "decode": "decode, resize",
    "run": "network",
    "text": "text",
    "row": "row, JSON",
    "table": "CSV",
}
LIMITS = ImageLimits()
MAX_BYTES = 1 << 20
PASSES = 5
"""Over all uploads, per round."""
TABLES = 50
"""A table has this many times the rows of a folder, because writing a file takes as long as hundreds of rows."""
LARGER = (400, 120)
"""Size in pixels of a picture whose PNG has about 30 kB."""


def measure(setup: Setup) -> Section:
    """Read all uploads of each kind, kind after kind, and a folder, in every round."""
    ours, general = ImageToTextModel(setup.model), ImageToTextModel(_newest("general"))
    sides = {kind: (ours, files) for kind, files in kinds_of_upload(setup.uploads).items()}
    sides["PNG, the general model"] = (general, sides["PNG"][1])
    rounds = [{kind: read_in_sequence(*side) for kind, side in sides.items()} for _ in range(setup.rounds)]
    rows: list[Row] = []
    for kind, (_, files) in sides.items():
        times = by_name([one[kind] for one in rounds])
        total = figure([sum(one[kind].values()) for one in rounds])
        size = f"{statistics.median(map(len, files)) / 1000:.1f}"
        rows.append({"kind": kind, "size": size, **times, "total": total})
    columns = {"kind": "upload", "size": "kB", **STAGES, "total": "all"}
    table = Table(title="Images in sequence on one thread, microseconds", columns=columns, rows=rows)
    folder = fill_folder(setup.folder / "sequence", setup.uploads, CHUNK)
    in_groups = by_name([read_in_groups(setup.model, folder) for _ in range(setup.rounds)])
    folder_table = Table(
        title="An image of a folder, in the groups of `read`, microseconds of processor time",
        columns={**FOLDER_STAGES, "total": "all"},
        rows=[dict(in_groups)],
    )
    return Section(tables={"sequence": table, "sequence_folder": folder_table}, checks=[], notes=[])


def kinds_of_upload(uploads: Sequence[Path]) -> dict[str, list[bytes]]:
    """Return the uploads as files of several kinds."""
    kinds: dict[str, list[bytes]] = {"PNG": [path.read_bytes() for path in uploads]}
    pictures = [Image.open(path) for path in uploads]
    kinds["PNG, larger"] = [_saved(picture.resize(LARGER, Image.Resampling.BICUBIC), "PNG") for picture in pictures]
    kinds["PNG, palette"] = [_saved(picture.convert("RGB").quantize(64), "PNG") for picture in pictures]
    for file_format in ("JPEG", "WEBP", "GIF", "BMP"):
        kinds[file_format] = [_saved(picture.convert("RGB"), file_format) for picture in pictures]
    return kinds


def read_in_sequence(model: ImageToTextModel, files: Sequence[bytes]) -> dict[str, float]:
    """Return the median microseconds of each stage."""
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for file in [*files] * PASSES:
        watch = Stopwatch()
        image = check_image(file, LIMITS)
        watch.lap("check")
        (reading,) = model.predict((one.decode() for one in [image]), watch=watch)
        to_json(reading.to_dict())
        watch.lap("render")
        for stage, began, ended, _ in watch.stages:
            times[stage].append(1e6 * (ended - began))
    # Stages that occur several times per reading are summed.
    return {stage: len(noted) / (PASSES * len(files)) * statistics.median(noted) for stage, noted in times.items()}


def read_in_groups(model_folder: Path, folder: Path) -> dict[str, float]:
    """Return the median processor time per image of a folder in microseconds, for each stage and in total."""
    job = Job(model_folder, MAX_BYTES, LIMITS.max_pixels, LIMITS.max_side, "json")
    model, read = ImageToTextModel(model_folder), open_reader(job)
    paths = sorted(map(str, folder.iterdir()))
    groups = [paths[start : start + GROUP_IMAGES] for start in range(0, len(paths), GROUP_IMAGES)]
    noted = [_read_group(model, read, group) for _ in range(PASSES) for group in groups]
    times = {stage: statistics.median(one[stage] for one in noted) / GROUP_IMAGES for stage in noted[0]}
    rows = read(paths).rows.splitlines(keepends=True) * TABLES
    began = process_time()
    write_output(folder.with_suffix(".csv"), job.columns, rows)
    times["table"] = (process_time() - began) / len(rows)
    return {stage: 1e6 * seconds for stage, seconds in {**times, "total": sum(times.values())}.items()}


def _read_group(
    model: ImageToTextModel, read: Callable[[Sequence[str]], Chunk], paths: Sequence[str]
) -> dict[str, float]:
    """Return the seconds of a group by stage; the rest of `read` is turning texts into rows."""
    times: dict[str, float] = {}
    began = process_time()

    def lap(stage: str) -> None:
        nonlocal began
        ended = process_time()
        times[stage], began = ended - began, ended

    read(paths)
    lap("all")
    files = [load_image(path, MAX_BYTES) for path in paths]
    lap("load")
    images = [check_image(file, LIMITS) for file in files]
    lap("check")
    batch = model.prepare([image.decode() for image in images])
    lap("decode")
    outputs = [model.run(batch[start : start + BATCH_IMAGES]) for start in range(0, len(batch), BATCH_IMAGES)]
    lap("run")
    model.codec.decode(np.concatenate(outputs), model.configs.calibration.temperature)
    lap("text")
    whole = times.pop("all")
    return {**times, "row": whole - sum(times.values())}


def _newest(name: str) -> Path:
    return max((ROOT / "model_store" / name).iterdir())


def _saved(picture: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format)
    return buffer.getvalue()
