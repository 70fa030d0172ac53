"""Processes that each time one side, on request."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks.common import PEERS_PYTHON, ROOT
from benchmarks.figures import BenchmarkError

Side = subprocess.Popen[str]


@contextmanager
def open_side(name: str, model: Path, uploads: Sequence[Path], seconds: float) -> Iterator[Side]:
    """Start a process that times a side's steps; see `benchmarks.peers.timer`. Ours runs in our environment."""
    python = PEERS_PYTHON if name in {"tutorial", "ddddocr"} else Path(sys.executable)
    command = [str(python), "-m", "benchmarks.peers.timer", name, "--seconds", str(seconds), "--model", str(model)]
    with subprocess.Popen(
        [*command, *map(str, uploads)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as side:
        try:
            yield side
        finally:
            side.kill()


def ask(*sides: Side) -> list[dict[str, float]]:
    """Let sides time their steps simultaneously; return name → milliseconds for each.

    Raises:
        BenchmarkError: a side has ended.
    """
    for side in sides:
        with suppress(BrokenPipeError):
            print(file=side.stdin, flush=True)
    return [_answer(side) for side in sides]


@contextmanager
def open_ceiling(model: Path, uploads: Sequence[Path], seconds: float) -> Iterator[list[Side]]:
    """Start two processes that only decode uploads and run our network: the upper limit for two cores."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_side("ceiling", model, uploads, seconds)) for _ in range(2)]


def ceiling(sides: Sequence[Side], uploads: int) -> float:
    """Return the joint images per second of the processes of `open_ceiling`, in the better of the two ways."""
    times = ask(*sides)
    return max(sum(1000 * uploads / time[way] for time in times) for way in times[0])


def _answer(side: Side) -> dict[str, float]:
    line = side.stdout.readline() if side.stdout else ""
    if not line:
        raise BenchmarkError(f"a side ended: {side.communicate()[1][-2000:]}")
    times: dict[str, float] = json.loads(line)
    return times
