"""Ray: a cluster of machines, or this machine as if it were one."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec

from app.shared.errors import UserError
from app.shared.streams import stderr_silenced

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # its makers are told nothing
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what it makes up for is not for users to read
}
OBJECT_STORE_BYTES = 256 << 20
"""Of a cluster that is this machine alone: what goes through it is small."""
CONNECT_SECONDS = 10


class EngineName(StrEnum):
    """What works: processes of this machine, or Ray."""

    PROCESSES = "processes"
    RAY = "ray"


class ClusterError(UserError):
    """There is no Ray, or no cluster; the message says why."""


def check_ray() -> None:
    """Look whether Ray is installed.

    Raises:
        ClusterError: it is not.
    """
    missing = [name for name in ("ray", "pyarrow") if find_spec(name) is None]
    if missing:
        raise ClusterError(
            f"--engine ray needs {' and '.join(missing)}, not installed here: python -m pip install 'ray[data]' pyarrow"
        )


@contextmanager
def connect(processors: int) -> Iterator[int]:
    """Connect to the cluster of `RAY_ADDRESS`, or without one start one of so many processors of this machine.

    Yields:
        The processors of the cluster.

    Raises:
        ClusterError: there is no cluster at `RAY_ADDRESS`, or Ray cannot start here.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    address = os.environ.get("RAY_ADDRESS") or "local"
    _check_reachable(address)
    alone = {"num_cpus": processors, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        with stderr_silenced():  # what is wrong, it raises
            ray.init(address, logging_level="error", log_to_driver=False, **(alone if address == "local" else {}))
    except Exception as error:  # Ray raises many kinds, its own among them, where it cannot start
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).removesuffix(".")
        here = address == "local"
        what = "Ray cannot start on this machine" if here else f"There is no Ray cluster at {address} (RAY_ADDRESS)"
        raise ClusterError(f"{what}: {reason}.") from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Look whether somebody listens at `host:port`, for which Ray itself would wait for minutes.

    Raises:
        ClusterError: nobody does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"There is no Ray cluster at {address} (RAY_ADDRESS): {error}.") from error
