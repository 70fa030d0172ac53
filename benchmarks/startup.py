"""How long from starting the service until it is ready, and whether the first request waits longer than the next.

    python -m benchmarks.startup [--rounds N]

Starts the real server several times on a free port, sends it a sample over a socket, and prints medians.
"""

import argparse
import http.client
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE = min((ROOT / "samples").glob("*.png"))
REQUESTS = 200


@dataclass(frozen=True)
class Round:
    """Milliseconds of one start."""

    ready: float
    first: float
    next: float


def main() -> None:
    """Print the medians of all rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = [measure() for _ in range(parser.parse_args().rounds)]
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, {len(rounds)} rounds"
    )
    for name, label in (("ready", "start to ready"), ("first", "first request"), ("next", "a later request")):
        values = [getattr(one, name) for one in rounds]
        print(f"{label:<16} {statistics.median(values):8.2f} ms  ({min(values):.2f} to {max(values):.2f})")


def measure() -> Round:
    """Start the service, wait until it is ready, and time its first requests."""
    port = free_port()
    environment = os.environ | {"OCR_PORT": str(port), "OCR_LOG_LEVEL": "warning"}
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "app"], cwd=ROOT, env=environment) as server:
        try:
            wait_until_ready(port, server)
            ready = time.perf_counter() - started
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.connect()
            times = [predict(connection) for _ in range(REQUESTS)]
        finally:
            server.terminate()
    return Round(1000 * ready, 1000 * times[0], 1000 * statistics.median(times[1:]))


def predict(connection: http.client.HTTPConnection) -> float:
    """Seconds that one reading takes."""
    started = time.perf_counter()
    connection.request("POST", "/predict", SAMPLE.read_bytes(), {"Content-Type": "image/png"})
    response = connection.getresponse()
    body = response.read()
    if SAMPLE.stem.encode() not in body:
        sys.exit(f"not read right: {body!r}")
    return time.perf_counter() - started


def wait_until_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    """Ask /readyz until it answers 200."""
    while server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()
    sys.exit("the service did not start")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
