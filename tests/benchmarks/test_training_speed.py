"""Training speed, on few epochs."""

import os
import re
import sys

import pytest

from benchmarks import training_speed


@pytest.mark.slow
def test_prints_the_seconds_per_epoch_on_one_processor_and_on_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    processors = os.sched_getaffinity(0)
    options = ["--images", "20", "--epochs", "2", "--rounds", "1", "--train-options", "--architecture conv_ctc"]
    monkeypatch.setattr(sys, "argv", ["benchmarks.training_speed", *options])
    training_speed.main()
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if re.match(r"\| \d", line)]
    assert [int(row[0]) for row in rows] == [1, len(processors)]
    assert all(float(row[1]) >= 0 for row in rows)  # a busy machine may read both epochs at once
    assert os.sched_getaffinity(0) == processors
