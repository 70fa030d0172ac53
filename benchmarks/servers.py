"""Servers that are measured: started, found ready, weighed and stopped; the process tree is read from /proc."""

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
PATIENCE = 240.0  # seconds until a server that is not ready never will be
GRACE = 10.0


@dataclass(frozen=True)
class Memory:
    """What the processes of a server hold, in megabytes."""

    processes: int
    largest: float
    """Resident memory (RSS) of the largest process, which is a worker."""
    together: float
    """Of all processes, with what they share counted once (PSS)."""
    own: float
    """Of that, what is not of files: of these, a part belongs to other processes that have them open."""


@contextmanager
def serve(
    command: Sequence[str], variables: Mapping[str, str], checkout: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that logs into nowhere, and is stopped with all its processes in the end.

    Args:
        command: starts it.
        variables: its environment.
        checkout: where it is started, which decides whose code it runs.

    Raises:
        BenchmarkError: within the block; if the server has ended, with what it wrote to standard error.
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
    """So many ports that nothing listens on."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def wait_for(server: subprocess.Popen[bytes], port: int, path: str, statuses: Sequence[int]) -> None:
    """Ask for a path until it is answered with one of the statuses.

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
    raise BenchmarkError(f"{_name(server)} did not get ready")


def form(uploads: Sequence[Path], field: str) -> bytes:
    """A multipart body (RFC 7578) with a part for each file."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{path.name}"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + path.read_bytes()
        + b"\r\n"
        for path in uploads
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(port: int, path: str, body: bytes, content_type: str) -> object:
    """What a server answers, which must be JSON and a 200.

    Raises:
        BenchmarkError: it is not.
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
    """Processor time of the threads of a process and its descendants, in user and kernel mode."""
    nanoseconds = 0
    for pid in descendants(root):
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):  # the thread has ended
                nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def memory(root: int) -> Memory:
    """What a process and its descendants hold."""
    sizes = []
    for pid in descendants(root):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
            sizes.append({line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines})
    largest = max((size["Rss"] for size in sizes), default=0.0)
    own = sum(size["Pss_Anon"] + size["Pss_Shmem"] for size in sizes)
    return Memory(len(sizes), largest, sum(size["Pss"] for size in sizes), own)


def descendants(root: int) -> list[int]:
    """The process and all that it and they started."""
    found = [root]
    for pid in found:
        with suppress(OSError):  # the process has ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):  # the thread has
                    found.extend(map(int, (task / "children").read_text().split()))
    return found


def _name(server: subprocess.Popen[bytes]) -> str:
    return " ".join(map(str, server.args)) if isinstance(server.args, list) else str(server.args)
