"""The connection to a Ray cluster."""

import subprocess
import sys
from pathlib import Path

from tests.waiting import GENEROUS_SECONDS

USES_RAY_WITHOUT_A_CONNECTION = """
import app.shared.cluster as cluster

try:
    with cluster.connect(1):
        raise SystemExit("connected")
except cluster.ClusterError:
    import ray

    ray.put(1)
"""


def test_without_a_connection_no_ray_is_started(repository: Path) -> None:
    command = [sys.executable, "-c", USES_RAY_WITHOUT_A_CONNECTION]
    environment = {"PYTHONPATH": str(repository), "RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=GENEROUS_SECONDS, check=False
    )
    assert "has not been started yet" in done.stderr
    assert done.returncode == 1
