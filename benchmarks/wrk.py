"""The load generator wrk, which posts uploads in turn over several connections."""

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
    """Results of wrk; times in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


def is_installed() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def generate(
    port: int, path: str, bodies: Sequence[Path], content_type: str, *, connections: int, seconds: float
) -> Load:
    """Load a server on this machine.

    Args:
        port: the server's port.
        path: path of the POST requests.
        bodies: files with the request bodies, sent in turn.
        content_type: content type of all bodies.
        connections: number of open connections, each with one request at a time.
        seconds: duration; wrk takes whole seconds.

    Raises:
        BenchmarkError: a request was not answered with a status of success.
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
    """Parse the output of `wrk --latency`.

    Raises:
        BenchmarkError: it reports errors, or is not such an output.
    """
    faults = re.findall(r"^ *((?:Non-2xx or 3xx responses|Socket errors): .*)$", output, re.MULTILINE)
    if faults:
        raise BenchmarkError(f"requests failed under load: {'; '.join(faults)}")
    requests = re.search(r"^ *(\d+) requests in ", output, re.MULTILINE)
    per_second = re.search(r"^Requests/sec: *([\d.]+)$", output, re.MULTILINE)
    latencies = dict(re.findall(r"^ *(\d+)% +([\d.]+(?:us|ms|s|m)) *$", output, re.MULTILINE))
    if requests is None or per_second is None or not {"50", "99"} <= latencies.keys():
        raise BenchmarkError(f"unexpected output of wrk: {output!r}")
    return Load(int(requests[1]), float(per_second[1]), _milliseconds(latencies["50"]), _milliseconds(latencies["99"]))


def _milliseconds(text: str) -> float:
    number = text.rstrip("ums")
    return float(number) * MILLISECONDS[text[len(number) :]]
