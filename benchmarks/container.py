"""The service's container image with minimal resources, and the largest requests for it."""

import json
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import httpx
import numpy as np

from app.inference.images import decode_image
from benchmarks.common import ROOT
from benchmarks.load import form_request
from benchmarks.servers import PATIENCE

LIMITS = (
    *("--cpus", "0.5", "--pids-limit", "256"),
    *("--read-only", "--tmpfs", "/tmp:size=16m", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),  # noqa: S108
)


@dataclass(frozen=True)
class Container:
    """A running container of the service."""

    id: str
    port: int

    @property
    def is_alive(self) -> bool:
        """Whether it is running and no process in it was killed for lack of memory."""
        state = json.loads(_docker("container", "inspect", self.id))[0]["State"]
        return bool(state["Running"] and not state["OOMKilled"])

    @property
    def broken(self) -> int:
        """How often a worker could not load a model."""
        return _docker("logs", self.id).count("model broken")


def has_docker() -> bool:
    """Return whether a Docker engine answers."""
    return shutil.which("docker") is not None and _run("version").returncode == 0


@contextmanager
def small_container(workers: int, megabytes: int) -> Iterator[Container]:
    """Build the image; run it with half a processor, little memory and only /tmp writable."""
    image = _docker("build", "--quiet", str(ROOT))
    memory = ("--memory", f"{megabytes}m", "--memory-swap", f"{megabytes}m", "--env", f"OCR_WORKERS={workers}")
    container = _docker("run", "--detach", *LIMITS, *memory, "--publish", "127.0.0.1::8000", image)
    try:
        one = Container(container, int(_docker("port", container, "8000").rpartition(":")[2]))
        _wait_until_ready(one)
        yield one
    finally:
        _docker("rm", "--force", "--volumes", container)


def largest_batches(image: bytes) -> dict[str, bytes]:
    """Return requests with the most bytes, pixels and searches that pass the limits, each repeating one image."""
    return {
        "64 images, 16 MB": form_request([_with_comment(image, 255_000)] * 64),
        "4 images of 4 million pixels, 16 bits and opacity": form_request([_enlarged(image, 4000, 1000)] * 4),
        "4 images of 2 million pixels, likewise": form_request([_enlarged(image, 2800, 700)] * 4),
        "64 searches": form_request([image] * 64, "/predict/batch?alternatives=20&pattern=.{0,199}"),
    }


def _wait_until_ready(one: Container) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{one.port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the container did not become ready")


def _enlarged(image: bytes, width: int, height: int) -> bytes:
    pixels = cv2.cvtColor(cv2.resize(decode_image(image), (width, height)), cv2.COLOR_GRAY2BGRA)
    return cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes()


def _with_comment(png: bytes, size: int) -> bytes:
    chunk = b"tEXta\0" + b"x" * size
    end = png.rindex(b"IEND") - 4
    return png[:end] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[end:]


def _docker(*arguments: str) -> str:
    finished = _run(*arguments)
    finished.check_returncode()
    return finished.stdout.strip()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)  # noqa: S607
