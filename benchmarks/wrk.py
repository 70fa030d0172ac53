"""The load generator: wrk posts uploads in turn over so many connections for so many seconds."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import BenchmarkError

SCRIPT = Path(__file__).with_name("upload.lua")
MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
MISSING = "wrk, the load generator, is not installed: apt-get install wrk"


@dataclass(frozen=True)
class Load:
    """What wrk saw; times in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


def is_installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None


def generate(
    port: int, path: str, bodies: Sequence[Path], content_type: str, *, connections: int, seconds: float
) -> Load:
    """Load a server of this machine.

    Args:
        port: where it listens.
        path: what to post to.
        bodies: files, each a request's body; sent in turn.
        content_type: of all of them.
        connections: kept open, each with one request under way.
        seconds: for so long; wrk counts in whole ones.

    Raises:
        BenchmarkError: not all requests were answered with a status of success.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s"]
    command += ["--latency", "--timeout", "30s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}{path}"]
    done = subprocess.run(
        [*command, "--", content_type, *map(str, bodies)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(f"wrk failed: {done.stderr or done.stdout}")
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Read what `wrk --latency` printed.

    Raises:
        BenchmarkError: it tells of errors, or is no such output.
    """
    faults = re.findall(r"^ *((?:Non-2xx or 3xx responses|Socket errors): .*)$", output, re.MULTILINE)
    if faults:
        raise BenchmarkError(f"requests failed under load: {'; '.join(faults)}")
    requests = re.search(r"^ *(\d+) requests in ", output, re.MULTILINE)
    per_second = re.search(r"^Requests/sec: *([\d.]+)$", output, re.MULTILINE)
    latencies = dict(re.findall(r"^ *(\d+)% +([\d.]+(?:us|ms|s|m)) *$", output, re.MULTILINE))
    if requests is None or per_second is None or not {"50", "99"} <= latencies.keys():
        raise BenchmarkError(f"this is not what wrk prints: {output!r}")
    return Load(int(requests[1]), float(per_second[1]), _milliseconds(latencies["50"]), _milliseconds(latencies["99"]))


def _milliseconds(text: str) -> float:
    number = text.rstrip("ums")
    return float(number) * MILLISECONDS[text[len(number) :]]
