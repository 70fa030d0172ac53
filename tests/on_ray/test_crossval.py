"""`python -m training crossval --engine ray`: the same report as without."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.command import Result

Run = Callable[..., Result]
SMALL = ("--architecture", "conv_ctc", "--folds", "2", "--epochs", "1", "--width", "96", "--height", "32")
CROSSVAL = ("training", "crossval", "--data", "drawn", *SMALL)


def without_times(document: Any) -> Any:
    """A report without what is another every time."""
    if isinstance(document, dict):
        return {key: without_times(value) for key, value in document.items() if key not in {"seconds", "command"}}
    return [without_times(item) for item in document] if isinstance(document, list) else document


def report(folder: str) -> Any:
    return without_times(json.loads((Path(folder) / "crossval.json").read_text()))


def test_the_report_is_the_same_as_without(run: Run) -> None:
    assert run("training", "draw", "--output", "drawn", "--count", "40").status == 0
    # One after the other: Ray gives its node 30 seconds to start, however busy the machine is.
    for folder, engine in {"on-ray": "ray", "without": "processes"}.items():
        done = run(*CROSSVAL, "--output", folder, "--engine", engine)
        assert done.status == 0, done.err
    assert report("on-ray") == report("without")
    assert report("on-ray")["images"] == 40
