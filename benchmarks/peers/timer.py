"""Time the steps of one side, one round per request, so that sides in separate processes can take turns.

    python -m benchmarks.peers.timer SIDE --seconds S --model FOLDER UPLOAD …

For each line on standard input, runs every step for this many seconds and prints a JSON object: name → milliseconds.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

BATCHES = (1, 2, 4, 8, 16, 32, 64)
THREADS = 1

Steps = dict[str, Callable[[], object]]


def main() -> None:
    """Serve rounds until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("uploads", type=Path, nargs="+")
    options = parser.parse_args()
    steps = SIDES[options.side](options.model, [path.read_bytes() for path in options.uploads])
    for step in steps.values():
        step()
    for _ in sys.stdin:
        print(json.dumps(time_steps(steps, options.seconds)), flush=True)


def time_steps(
    steps: Mapping[str, Callable[[], object]], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the mean milliseconds of each step, called repeatedly for the given time, at least once.

    Args:
        steps: by name.
        seconds: time for each.
        clock: `time.process_time` measures processor time, which is meaningful even on a busy machine.
    """
    return {name: _milliseconds(step, seconds, clock) for name, step in steps.items()}


def steps_of_ours(folder: Path, uploads: Sequence[bytes]) -> Steps:
    """Return our steps from bytes to text, each applied to the result of the previous one."""
    from app.inference.images import decode_image
    from app.inference.models.model import ImageToTextModel

    model = ImageToTextModel(folder)
    upload = uploads[0]
    pixels = decode_image(upload)
    batches = {size: model.prepare([pixels] * size) for size in BATCHES}
    probabilities = model.run(batches[1])
    temperature = model.configs.calibration.temperature
    return {
        "decode": lambda: decode_image(upload),
        "resize": lambda: model.prepare([pixels]),
        "run": lambda: model.run(batches[1]),
        "text": lambda: model.codec.decode(probabilities, temperature),
        "total": lambda: model.predict([decode_image(upload)]),
        **{f"batch {size}": partial(model.run, batch) for size, batch in batches.items()},
    }


def steps_of_tutorial(folder: Path, uploads: Sequence[bytes]) -> Steps:
    """Return the tutorial's steps."""
    import numpy as np

    from benchmarks.peers.threads import use_threads
    from benchmarks.peers.tutorial import ImageToWordModel, decode

    use_threads(THREADS)
    model = ImageToWordModel(folder)
    upload = uploads[0]
    pixels = decode(upload)
    batches = {size: np.repeat(model.prepare(pixels), size, axis=0) for size in BATCHES}
    probabilities = model.run(batches[1])
    return {
        "decode": lambda: decode(upload),
        "resize": lambda: model.prepare(pixels),
        "run": lambda: model.run(batches[1]),
        "text": lambda: model.text(probabilities),
        "total": lambda: model.predict(decode(upload)),
        **{f"batch {size}": partial(model.run, batch) for size, batch in batches.items()},
    }


def steps_of_ddddocr(_: Path, uploads: Sequence[bytes]) -> Steps:
    """Return ddddocr's step with its defaults and the restricted alphabet."""
    import ddddocr

    from benchmarks.peers.threads import use_threads

    use_threads(THREADS)
    reader = ddddocr.DdddOcr(show_ad=False)
    reader.set_ranges("2345678bcdefgmnpwxy")
    return {"total": lambda: reader.classification(uploads[0])}


def steps_of_ceiling(folder: Path, uploads: Sequence[bytes]) -> Steps:
    """Return the bare loops, without text or HTTP: decode the uploads and run the network, singly or as one batch."""
    from app.inference.images import decode_image
    from app.inference.models.model import ImageToTextModel

    model = ImageToTextModel(folder)

    def one_by_one() -> None:
        for upload in uploads:
            model.run(model.prepare([decode_image(upload)]))

    return {
        "one by one": one_by_one,
        "together": lambda: model.run(model.prepare([decode_image(upload) for upload in uploads])),
    }


def _milliseconds(step: Callable[[], object], seconds: float, clock: Callable[[], float]) -> float:
    calls, elapsed = 0, 0.0
    started = clock()
    while not calls or elapsed < seconds:
        step()
        calls += 1
        elapsed = clock() - started
    return 1000 * elapsed / calls


SIDES: dict[str, Callable[[Path, Sequence[bytes]], Steps]] = {
    "ours": steps_of_ours,
    "tutorial": steps_of_tutorial,
    "ddddocr": steps_of_ddddocr,
    "ceiling": steps_of_ceiling,
}

if __name__ == "__main__":
    main()
