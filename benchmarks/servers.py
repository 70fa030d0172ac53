"""Servers to measure: start, wait until ready, measure memory, stop; the process tree comes from /proc."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.figures import BenchmarkError

BOUNDARY = "benchmark-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
PATIENCE = 240.0  # maximum seconds until a server is ready
GRACE = 10.0


@dataclass(frozen=True)
class Memory:
    """Memory of a server's processes, in megabytes."""

    processes: int
    largest: float
    """Resident memory (RSS) of the largest process, which is a worker."""
    together: float
    """Of all processes, shared memory counted once (PSS)."""
    own: float
    """The part of it not backed by files; file-backed memory is partly counted for other processes."""


@contextmanager
def serve(
    command: Sequence[str], variables: Mapping[str, str], checkout: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server without log output, and stop it and all its processes at the end.

    Args:
        command: the command.
        variables: its environment.
        checkout: its working directory, which determines whose code runs.

    Raises:
        BenchmarkError: raised in the block; if the server has ended, its standard error is added.
    """
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=checkout, env=variables, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        ) as server,
    ):
        try:
            yield server
        except BenchmarkError as error:
            if server.poll() is None:
                raise
            errors.seek(0)
            raise BenchmarkError(f"{error}\n{errors.read()[-2000:]}") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(GRACE)
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Return unused ports."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def wait_for(server: subprocess.Popen[bytes], port: int, path: str, statuses: Sequence[int]) -> None:
    """Request a path until the answer has one of the statuses.

    Raises:
        BenchmarkError: the server ended, or was not ready for minutes.
    """
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            if connection.getresponse().status in statuses:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise BenchmarkError(f"{_name(server)} did not become ready")


def form(uploads: Sequence[Path], field: str) -> bytes:
    """Return a multipart body (RFC 7578) with a part for each file."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{path.name}"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + path.read_bytes()
        + b"\r\n"
        for path in uploads
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(port: int, path: str, body: bytes, content_type: str) -> object:
    """Return a server's JSON answer.

    Raises:
        BenchmarkError: the status is not 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise BenchmarkError(f"POST {path} was answered with {response.status}: {answer[:200]!r}")
    return json.loads(answer)


def cpu_seconds(root: int) -> float:
    """Return the CPU time of a process and its descendants, including ended ones, in user and kernel mode."""
    nanoseconds, ticks = 0, 0
    for pid in descendants(root):
        with suppress(OSError):  # the process has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[13]) + int(fields[14])  # of children that were waited for
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):  # the thread has ended
                nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9 + ticks / os.sysconf("SC_CLK_TCK")


def memory(root: int) -> Memory:
    """Return the memory of a process and its descendants."""
    sizes = []
    for pid in descendants(root):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
            sizes.append({line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines})
    largest = max((size["Rss"] for size in sizes), default=0.0)
    own = sum(size["Pss_Anon"] + size["Pss_Shmem"] for size in sizes)
    return Memory(len(sizes), largest, sum(size["Pss"] for size in sizes), own)


def descendants(root: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [root]
    for pid in found:
        with suppress(OSError):  # the process has ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):  # the thread has ended
                    found.extend(map(int, (task / "children").read_text().split()))
    return found


def _name(server: subprocess.Popen[bytes]) -> str:
    return " ".join(map(str, server.args)) if isinstance(server.args, list) else str(server.args)
