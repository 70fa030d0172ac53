"""The stages of reading as a request runs them, one after the other, for several kinds of upload.

In a loop of its own each stage finds its code in the processor's caches, and takes half as long as in a request.
"""

import io
import statistics
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from pydantic_core import to_json

from app.inference.images import ImageLimits, check_image
from app.inference.models.model import ImageToTextModel
from app.shared.stopwatch import Stopwatch
from benchmarks.common import ROOT, Setup
from benchmarks.figures import Row, Section, Table, by_name, figure

STAGES = {"check": "check", "decode": "decode, resize", "run": "network", "text": "text, boxes", "render": "JSON"}
LIMITS = ImageLimits()
PASSES = 5
"""Over all uploads, in a round."""
LARGER = (400, 120)
"""Pixels of a picture whose PNG has about 30 kB."""


def measure(setup: Setup) -> Section:
    """Read all uploads of each kind, kind after kind, in every round."""
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
    table = Table(title="One image after the other on one thread, microseconds", columns=columns, rows=rows)
    return Section(tables={"sequence": table}, checks=[], notes=[])


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
    # Of stages that are noted several times in a reading, the sum counts.
    return {stage: len(noted) / (PASSES * len(files)) * statistics.median(noted) for stage, noted in times.items()}


def _newest(name: str) -> Path:
    return max((ROOT / "model_store" / name).iterdir())


def _saved(picture: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format)
    return buffer.getvalue()
