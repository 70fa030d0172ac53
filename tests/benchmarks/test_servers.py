"""Starting, measuring and stopping servers."""

import email
import email.policy
import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.figures import BenchmarkError
from benchmarks.servers import FORM, cpu_seconds, descendants, form, free_ports, memory, post, serve, wait_for
from tests.waiting import wait_until


def test_a_server_is_awaited_measured_and_stopped(port: int) -> None:
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with serve(command, os.environ) as server:
        wait_for(server, port, "/", [200])
        assert cpu_seconds(server.pid) > 0
        held = memory(server.pid)
        assert held.processes == 1
        assert 1 < held.together <= held.largest < 1000
        with pytest.raises(BenchmarkError, match="was answered with 501"):
            post(port, "/predict", b"", FORM)
    assert server.returncode == -signal.SIGTERM


def test_a_server_that_ends_gives_the_reason(port: int) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no model')"]
    with pytest.raises(BenchmarkError, match=r"did not become ready\nno model"), serve(command, os.environ) as server:
        wait_for(server, port, "/", [200])


def test_its_child_processes_are_counted_and_stopped() -> None:
    code = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print(flush=True); time.sleep(60)"
    with serve([sys.executable, "-c", code], os.environ) as server:
        while len(descendants(server.pid)) < 2:
            assert server.poll() is None
        child = descendants(server.pid)[1]
    # Its new parent has to reap it; `Path.exists` raises if it is just ending.
    wait_until(lambda: not os.path.exists(f"/proc/{child}/exe"))  # noqa: PTH110


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_form_holds_the_files(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(path.stem.encode() + b"\r\n\xff")
    head = f"Content-Type: {FORM}\r\n\r\n".encode()
    message = email.message_from_bytes(head + form(paths, "files"), policy=email.policy.HTTP)
    parts = [(part.get_filename(), part.get_payload(decode=True)) for part in message.iter_parts()]
    assert parts == [("a.png", b"a\r\n\xff"), ("b.png", b"b\r\n\xff")]
