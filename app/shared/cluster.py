"""Connection to a Ray cluster, or to a local Ray on this machine."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec

from app.shared.errors import UserError
from app.shared.extras import how_to_add
from app.shared.streams import stderr_silenced

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage reports to its makers
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # Ray logs errors from which it recovers
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a thread of Ray Data that ends after the connection would start another Ray
}
OBJECT_STORE_BYTES = 256 << 20
"""Size for a local cluster; the objects are small."""
CONNECT_SECONDS = 10


class EngineName(StrEnum):
    """Engine of bulk reading: processes of this machine, or Ray."""

    PROCESSES = "processes"
    RAY = "ray"


class ClusterError(UserError):
    """Ray is not installed or its cluster cannot be reached; the message says why."""


def check_ray() -> None:
    """Raise `ClusterError` if Ray is not installed."""
    missing = [name for name in ("ray", "pyarrow") if find_spec(name) is None]
    if missing:
        add = how_to_add("ray", "python -m pip install 'ray[data]' pyarrow")
        raise ClusterError(f"--engine ray needs {' and '.join(missing)}, not installed here; {add}")


@contextmanager
def connect(processors: int) -> Iterator[int]:
    """Connect to the cluster at `RAY_ADDRESS`; without it, start a local cluster with this number of processors.

    Yields:
        The number of processors of the cluster.

    Raises:
        ClusterError: if no cluster is at `RAY_ADDRESS`, or Ray cannot start here.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    address = os.environ.get("RAY_ADDRESS") or "local"
    _check_reachable(address)
    alone = {"num_cpus": processors, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        with stderr_silenced():  # it raises what went wrong
            ray.init(address, logging_level="error", log_to_driver=False, **(alone if address == "local" else {}))
    except Exception as error:  # Ray raises many types when it cannot start
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).removesuffix(".")
        here = address == "local"
        what = "Ray cannot start on this machine" if here else f"There is no Ray cluster at {address} (RAY_ADDRESS)"
        raise ClusterError(f"{what}: {reason}.") from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise `ClusterError` if nothing listens at `host:port`; Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"There is no Ray cluster at {address} (RAY_ADDRESS): {error}.") from error
