"""`python -m training crossval --engine ray`: the same report as without."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.command import Result
from tests.waiting import GENEROUS_SECONDS

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]
SMALL = ("--architecture", "conv_ctc", "--folds", "2", "--epochs", "1", "--width", "96", "--height", "32")
CROSSVAL = ("training", "crossval", "--data", "drawn", *SMALL)


def without_times(document: Any) -> Any:
    """A report without what is another every time."""
    if isinstance(document, dict):
        return {key: without_times(value) for key, value in document.items() if key not in {"seconds", "command"}}
    return [without_times(item) for item in document] if isinstance(document, list) else document


def report(folder: str) -> Any:
    return without_times(json.loads((Path(folder) / "crossval.json").read_text()))


def test_the_report_is_the_same_as_without(run: Run, start: Start) -> None:
    assert run("training", "draw", "--output", "drawn", "--count", "40").status == 0
    without = start(*CROSSVAL, "--output", "without")  # both at once
    on_ray = run(*CROSSVAL, "--output", "on-ray", "--engine", "ray")
    assert on_ray.status == 0, on_ray.err
    _, err = without.communicate(timeout=GENEROUS_SECONDS)
    assert without.returncode == 0, err
    assert report("on-ray") == report("without")
    assert report("on-ray")["images"] == 40
