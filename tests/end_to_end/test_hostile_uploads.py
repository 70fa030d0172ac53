"""Files made to cost seconds or gigabytes, sent to the real service: each is answered, and the next request is read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.inference.images.test_bombs import DECODED, GROWTH_MEGABYTES, REFUSED

SOON = 60
"""Seconds, on a busy machine; some of the files would take many more."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the greatest size of a process is read from /proc")
def test_each_is_answered_and_the_memory_stays_small(run_server: Callable[..., Any], samples: dict[str, bytes]) -> None:
    server = run_server(OCR_THREADS="2")
    status = Path(f"/proc/{server.process.pid}/status")

    def greatest_megabytes() -> float:
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024

    with httpx.Client(base_url=server.url, timeout=SOON) as client:

        def read_sample() -> str:
            text: str = client.post("/predict", content=samples["ef2ec"]).json()["text"]
            return text

        assert read_sample() == "ef2ec"
        before = greatest_megabytes()
        for name, (data, _, _) in REFUSED.items():
            assert client.post("/predict", content=data).status_code in {413, 415, 422}, name
            assert read_sample() == "ef2ec"
        for name, data in DECODED.items():
            assert client.post("/predict", content=data).status_code == 200, name
            assert read_sample() == "ef2ec"
        batch = [("files", data) for data in list(DECODED.values())[-14:]]
        assert client.post("/predict/batch", files=batch).status_code == 413  # more pixels than a request may have
        for start in range(0, len(batch), 4):
            answer = client.post("/predict/batch", files=batch[start : start + 4])
            assert answer.status_code in {200, 413}  # the frames of animations are pixels, too
            assert read_sample() == "ef2ec"
        assert greatest_megabytes() - before < GROWTH_MEGABYTES
    assert '"level":"error"' not in server.log
    assert server.log.count("libpng") < 10, "libpng's complaints about each piece of a file fill the log"
