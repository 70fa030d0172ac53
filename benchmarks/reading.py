"""`python -m app read`: folders of many images, and timed runs of the command."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.figures import BenchmarkError
from benchmarks.servers import memory

COMMAND = (sys.executable, "-m", "app", "read")
WATCHED_EVERY = 0.2
SKIPPED = "python -m app read: this revision has no such command; skipped."


@dataclass(frozen=True)
class BulkReading:
    """Resources used for a folder, from the start of the process to its end."""

    seconds: float
    cpu_seconds: float
    """Processor time of all processes."""
    megabytes: float
    """Peak memory (PSS); 0 if not measured."""


def can_read() -> bool:
    """Return whether the service has the command."""
    return subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, check=False).returncode == 0


def fill_folder(folder: Path, uploads: Sequence[Path], count: int) -> Path:
    """Fill a folder with this many images, as hard links to a few files."""
    folder.mkdir()
    for index in range(count):
        os.link(uploads[index % len(uploads)], folder / f"{index:06}.png")
    return folder


def read_folder(folder: Path, count: int, *, watched: bool = False, checkout: Path = ROOT) -> BulkReading:
    """Run the command on a folder of images.

    Args:
        folder: the folder.
        count: number of images in it.
        watched: measure the memory, which takes some processor time.
        checkout: the checkout whose command is run.

    Raises:
        BenchmarkError: the command failed, or did not write a line per image.
    """
    output = folder.with_suffix(".csv")
    output.unlink(missing_ok=True)
    most, cpu_before = 0.0, _cpu_of_children()
    started = time.perf_counter()
    with subprocess.Popen(
        [*COMMAND, str(folder), "--output", str(output)],
        cwd=checkout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        while watched and reader.poll() is None:
            most = max(most, memory(reader.pid).together)
            time.sleep(WATCHED_EVERY)
        reader.wait()
        seconds = time.perf_counter() - started
        errors = reader.stderr.read() if reader.stderr else ""
    if reader.returncode != 0:
        raise BenchmarkError(f"python -m app read failed: {errors[-2000:]}")
    lines = len(output.read_text(encoding="utf-8").splitlines())
    if lines not in {count, count + 1}:
        raise BenchmarkError(f"python -m app read wrote {lines} lines for {count} images")
    return BulkReading(seconds, _cpu_of_children() - cpu_before, most)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
