"""Read image files with one reader on one thread, and print a JSON object.

    python -m benchmarks.peers.reader SIDE --model FOLDER < PATHS

Paths come from standard input, one per line, because a command line could be too short for them.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = 1

Read = Callable[[bytes], str | None]
"""Return the text in the content of a file; None if it is refused."""


def main() -> None:
    """Read all images; print their texts in order, null for refused ones, and the median milliseconds of the others."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--model", type=Path, help="our model's folder")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    read = SIDES[options.side](options.model)
    images = [Path(line).read_bytes() for line in sys.stdin.read().splitlines()]
    read(images[0])
    texts, milliseconds = [], []
    for image in images:
        # Processor time equals the elapsed time on an idle machine.
        started = time.process_time()
        texts.append(read(image))
        if texts[-1] is not None:
            milliseconds.append(1000 * (time.process_time() - started))
    print(json.dumps({"texts": texts, "milliseconds": statistics.median(milliseconds) if milliseconds else None}))


def open_ours(folder: Path) -> Read:
    """Return our reader."""
    from app.inference.images import ImageError, decode_image
    from app.inference.models.model import ImageToTextModel

    model = ImageToTextModel(folder)

    def read(image: bytes) -> str | None:
        try:
            return model.predict([decode_image(image)])[0].text
        except ImageError:
            return None

    return read


def open_ddddocr(_: Path | None) -> Read:
    """Return ddddocr with its defaults, without a restricted alphabet."""
    import ddddocr

    from benchmarks.peers.threads import use_threads

    use_threads(THREADS)
    return ddddocr.DdddOcr(show_ad=False).classification


def open_rapidocr(_: Path | None) -> Read:
    """Return RapidOCR's recogniser on the whole image as one line of text, at any confidence."""
    import rapidocr

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": THREADS for kind in ("intra", "inter")}
    engine = rapidocr.RapidOCR(params={"Global.log_level": "error", **threads})

    def read(image: bytes) -> str:
        return "".join(engine(image, use_det=False, use_cls=False, use_rec=True, text_score=0).txts or ())

    return read


SIDES: dict[str, Callable[[Path], Read]] = {
    "ours": open_ours,
    "ddddocr": open_ddddocr,
    "rapidocr": open_rapidocr,
}

if __name__ == "__main__":
    main()
