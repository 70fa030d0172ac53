"""Compare `python -m app read` with and without Ray on this machine: the same folder, one worker and two.

    .venv/bin/python -m benchmarks.ray_reading [--images 5000] [--rounds 3]

Reading a few images gives the startup time; the remaining time is for the other images.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import ROOT, draw_uploads, newest_model
from benchmarks.reading import COMMAND, fill_folder

FEW = 200
SIDES = {"processes": "readings.parquet", "ray": "readings"}


def main() -> None:
    """Measure, and print a Markdown table of medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sides = [(engine, workers) for workers in (1, 2) for engine in SIDES]
    whole: dict[tuple[str, int], list[float]] = {side: [] for side in sides}
    starts: dict[tuple[str, int], list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        uploads = draw_uploads(Path(name) / "uploads", newest_model())
        many = fill_folder(Path(name) / "many", uploads, options.images)
        few = fill_folder(Path(name) / "few", uploads, FEW)
        for _ in range(options.rounds):
            for side in sides:
                whole[side].append(_seconds(many, *side))
                starts[side].append(_seconds(few, *side))
    print("| engine | workers | s, all | s to start | images/s after startup | ms per image |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for side in sides:
        seconds, start = statistics.median(whole[side]), statistics.median(starts[side])
        each = (seconds - start) / (options.images - FEW)
        print(f"| {side[0]} | {side[1]} | {seconds:.1f} | {start:.1f} | {1 / each:,.0f} | {each * 1000:.2f} |")


def _seconds(folder: Path, engine: str, workers: int) -> float:
    output = folder.parent / SIDES[engine]
    started = time.perf_counter()
    finished = subprocess.run(
        [*COMMAND, str(folder), "--engine", engine, "--workers", str(workers), "--output", str(output), "--force"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        sys.exit(f"python -m app read --engine {engine} failed: {finished.stderr[-2000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
