"""PNG decoding time of the installed decoders, for captchas and for larger pictures."""

import io
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from app.inference.images import check_image
from app.inference.images.decoders import with_opencv, with_png_crate
from benchmarks.common import Setup
from benchmarks.figures import Row, Section, Table, by_name, ratio
from benchmarks.sections.sequence import LIMITS, kinds_of_upload

KINDS = ("PNG", "PNG, larger")
PASSES = 5
"""Over all uploads, per round."""
CHANNELS = 4

Decoder = Callable[[bytes, int, int], object]
"""Takes a file's content, its width and its height."""


def _with_pillow(data: bytes, _: int, __: int) -> object:
    return np.asarray(Image.open(io.BytesIO(data), formats=("PNG",)))


DECODERS: dict[str, Decoder] = {
    "OpenCV": lambda data, width, height: with_opencv(data, "PNG", width, height),
    "the png crate of Rust": lambda data, width, height: with_png_crate(data, width, height, CHANNELS),
    "Pillow": _with_pillow,
}


def measure(setup: Setup) -> Section:
    """Decode all uploads with each decoder in turn, in every round."""
    rows: list[Row] = []
    for kind in KINDS:
        files = kinds_of_upload(setup.uploads)[kind]
        times = by_name([decode_in_turn(files) for _ in range(setup.rounds)])
        rows += [
            {"kind": kind, "decoder": name, "time": time_, "ratio": ratio(time_, times["OpenCV"])}
            for name, time_ in times.items()
        ]
    columns = {"kind": "upload", "decoder": "decoder", "time": "µs", "ratio": "÷ OpenCV"}
    return Section(
        tables={"decoders": Table(title="Decoding a PNG with an alpha channel", columns=columns, rows=rows)},
        checks=[],
        notes=[],
    )


def decode_in_turn(files: Sequence[bytes]) -> dict[str, float]:
    """Return the median microseconds of each decoder: each file by all decoders, then the next file."""
    images = [check_image(file, LIMITS) for file in files]
    times: dict[str, list[float]] = {name: [] for name in DECODERS}
    for _ in range(PASSES):
        for image in images:
            for name, decode in DECODERS.items():
                began = time.perf_counter()
                decode(image.data, image.width, image.height)
                times[name].append(1e6 * (time.perf_counter() - began))
    return {name: statistics.median(measured) for name, measured in times.items()}
