"""Where the time goes when one image is read on one thread: decode, resize, run the network, decode its output.

    python -m benchmarks.stages [--model FOLDER] [--rounds N]

Reads the shipped samples with a model folder, without HTTP, and prints the median over the rounds of each stage.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from app.inference.images import decode_image
from app.inference.model import ImageToTextModel

ROOT = Path(__file__).parents[1]
REPEATS = 200


def main() -> None:
    """Print a line a stage."""
    newest = max((ROOT / "model_store" / "captcha").iterdir())
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=newest)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    stages = stages_of(ImageToTextModel(arguments.model))
    rounds = [{name: milliseconds(stage) for name, stage in stages.items()} for _ in range(arguments.rounds)]
    print(f"{arguments.model.name} on {platform.machine()}, {os.cpu_count()} processors, {len(rounds)} rounds")
    for name in stages:
        times = [one[name] for one in rounds]
        print(f"{name:<16} {statistics.median(times):6.3f} ms  ({min(times):.3f} to {max(times):.3f})")


def stages_of(model: ImageToTextModel) -> dict[str, Callable[[], object]]:
    """The steps from bytes to text, each on what the step before it made of a sample."""
    data = min((ROOT / "samples").glob("*.png")).read_bytes()
    pixels = decode_image(data)
    batch = model.prepare([pixels])
    probabilities = model.run(batch)
    return {
        "decode the file": lambda: decode_image(data),
        "resize": lambda: model.prepare([pixels]),
        "run the network": lambda: model.run(batch),
        "decode the text": lambda: model.codec.decode(probabilities),
        "all of it": lambda: model.predict([decode_image(data)]),
    }


def milliseconds(stage: Callable[[], object]) -> float:
    """The mean of many calls in a row."""
    started = time.perf_counter()
    for _ in range(REPEATS):
        stage()
    return 1000 * (time.perf_counter() - started) / REPEATS


if __name__ == "__main__":
    main()
