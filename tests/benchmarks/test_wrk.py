"""Parsing of wrk's output."""

from pathlib import Path

import pytest

from benchmarks import wrk
from benchmarks.figures import BenchmarkError
from benchmarks.wrk import Load, generate, parse

PRINTED = """\
Running 2s test @ http://127.0.0.1:8000/predict
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    10.51ms    1.35ms  20.93ms   83.38%
    Req/Sec     1.53k    84.51     1.66k    70.00%
  Latency Distribution
     50%   {p50}
     75%   11.02ms
     90%   12.11ms
     99%   {p99}
  3045 requests in 2.00s, 1.02MB read
Requests/sec:   1519.37
Transfer/sec:    522.11KB
"""


@pytest.mark.parametrize(
    ("p50", "p99", "milliseconds"),
    [
        ("291.00us", "502.50us", (0.291, 0.5025)),
        ("10.42ms", "15.51ms", (10.42, 15.51)),
        ("930.00us", "1.20s ", (0.93, 1200.0)),
        ("59.00s ", "1.50m ", (59_000.0, 90_000.0)),
    ],
)
def test_reads_all_units(p50: str, p99: str, milliseconds: tuple[float, float]) -> None:
    load = parse(PRINTED.format(p50=p50, p99=p99))
    assert (load.requests, load.per_second) == (3045, 1519.37)
    assert (load.p50, load.p99) == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    "fault", ["Non-2xx or 3xx responses: 12", "Socket errors: connect 0, read 3, write 0, timeout 1"]
)
def test_rejects_a_load_with_failed_requests(fault: str) -> None:
    printed = PRINTED.format(p50="1.00ms", p99="2.00ms").replace("Requests/sec", f"  {fault}\nRequests/sec")
    with pytest.raises(BenchmarkError, match=fault):
        parse(printed)


def test_rejects_other_output() -> None:
    with pytest.raises(BenchmarkError, match="unexpected output of wrk"):
        parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_passes_its_arguments_to_wrk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "wrk"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/printed\n')
    program.chmod(0o755)
    (tmp_path / "printed").write_text(PRINTED.format(p50="1.00ms", p99="2.00ms"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    load = generate(8000, "/predict", [Path("a.form"), Path("b.form")], "image/png", connections=16, seconds=2)
    assert load == Load(3045, 1519.37, 1.0, 2.0)
    assert (tmp_path / "asked").read_text() == (
        "--threads 1 --connections 16 --duration 2s --latency --timeout 30s "
        f"--script {wrk.SCRIPT} http://127.0.0.1:8000/predict -- image/png a.form b.form\n"
    )
