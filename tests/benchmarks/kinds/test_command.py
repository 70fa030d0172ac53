"""The command that measures kinds: interruption, resumption and report."""

import contextlib
import io
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.common import ROOT, newest_model
from benchmarks.kinds import __main__ as command
from benchmarks.kinds import cells, rejection
from benchmarks.kinds.cells import RESULT
from benchmarks.kinds.folders import read_kinds
from benchmarks.kinds.processes import Processors, run_on
from tests.benchmarks.kinds.conftest import TESTED
from tests.command import start_command
from tests.waiting import ending
from training.__main__ import app
from training.data.layouts import read_samples

DRAWN = 20
LABELS = 12
"""All labels of the digits; two images of the letters stay unlabelled."""
SMALL = "--architecture conv_ctc --width 96 --height 32"
OPTIONS, ENDLESS = f"{SMALL} --epochs 1", f"{SMALL} --epochs 1000000"


@dataclass(frozen=True)
class Run:
    """A run that was interrupted in its first training, and completed on the second call."""

    arguments: list[str]
    interrupted_status: int
    said: str
    kept: list[Path]
    """Results that existed after the interruption."""
    left: list[str]
    """Commands that were still running afterwards."""
    printed: str
    report: dict[str, Any]


@pytest.fixture(scope="module")
def limits() -> Iterator[None]:
    """No peers, and few images without text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "PEERS_PYTHON", Path("not/installed"))
        patch.setattr(rejection, "DRAWN", DRAWN)
        yield


@pytest.fixture(scope="module")
def run(drawn_kinds: Path, limits: None, general_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("results")
    report = folder / "report.json"
    arguments = [str(drawn_kinds), "--labels", "0", str(LABELS), "--model", str(general_model), "--jobs", "1"]
    arguments += ["--results", str(folder / "cells"), "--train-options"]
    # The training is so long that the signal arrives before its end, however busy the machine is.
    with ending(start_command(ROOT, ("benchmarks.kinds", *arguments, ENDLESS), {})) as process:
        assert process.stderr is not None
        said = ""
        while f"digits, {LABELS} labels" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGTERM)
        said += process.communicate()[1]
    left = [one for one in running_commands() if str(folder) in one]
    kept = sorted((folder / "cells").rglob(RESULT))
    arguments += [OPTIONS, "--foreign", "--json", str(report)]
    printed = run_here(arguments)
    return Run(arguments, process.returncode, said, kept, left, printed, json.loads(report.read_text()))


def run_here(arguments: list[str]) -> str:
    """Run the command in this process and return its output."""
    handler = signal.getsignal(signal.SIGTERM)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
            patch.setattr(cells, "run_on", run_trainings_here)
            command.main(arguments)
    finally:
        signal.signal(signal.SIGTERM, handler)
    return printed.getvalue()


async def run_trainings_here(processors: Processors, words: Sequence[str | Path], text: str = "") -> str:
    """Run a command of `training` in this process, which saves the time to import TensorFlow; others as they are."""
    _, _, package, *options = map(str, words)
    if package != "training":
        return await run_on(processors, words, text=text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [package, *options])  # which the model names as its command
        done = CliRunner().invoke(app, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def running_commands() -> Iterator[str]:
    """Yield the command lines of all processes on this machine."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended
            yield (process / "cmdline").read_text(errors="replace").replace("\0", " ")


@pytest.mark.slow
class TestTheCommand:
    def test_interrupted_says_so_and_keeps_what_is_done(self, run: Run) -> None:
        assert run.interrupted_status == 130
        assert "the same command resumes" in run.said
        assert [path.parent.name.partition("-")[0] for path in run.kept] == ["0", "0"]

    def test_interrupted_leaves_no_process_behind(self, run: Run) -> None:
        assert run.left == []

    def test_trains_with_the_train_command_on_the_first_images_of_the_pool(self, run: Run, drawn_kinds: Path) -> None:
        for kind in read_kinds(drawn_kinds):
            model = Path(run.report["results"][str(LABELS)][kind.name]["model"])
            known = read_samples(model / "train.csv", kind.pool[0].path.parent)
            known += read_samples(model / "val.csv", kind.pool[0].path.parent)
            assert sorted(known) == sorted(kind.pool[:LABELS])
            assert OPTIONS in json.loads((model / "metrics.json").read_text())["training"]["command"]

    @pytest.mark.parametrize(("labels", "network"), [("0", "residual_ctc"), (str(LABELS), "conv_ctc")])
    def test_scores_the_test_images(self, run: Run, drawn_kinds: Path, labels: str, network: str) -> None:
        for kind in read_kinds(drawn_kinds):
            result = run.report["results"][labels][kind.name]
            wanted = [sample.label for sample in kind.test]
            assert len(result["texts"]) == result["score"]["images"] == TESTED
            assert result["score"]["words_right"] == sum(map(str.__eq__, wanted, result["texts"]))
            assert result["milliseconds"] > 0
            assert result["network"]["architecture"] == network
            assert ("minutes" in result) == (labels != "0")

    def test_prints_a_row_per_kind_with_median_and_worst(self, run: Run) -> None:
        for table in ("No labels: the general model", f"{LABELS} labels"):
            _, _, after = run.printed.partition(f"{table}:\n\n")
            rows = [line.split(" | ")[0].strip("| *") for line in after.partition("\n\n")[0].splitlines()[2:]]
            assert rows[:2] == ["digits", "letters"]
            assert rows[2:4] == ["median, digits and Latin letters", "worst, digits and Latin letters"]
        assert "case ignored" in run.printed
        assert run.report["median_and_worst"]["0"].keys() == {"digits and Latin letters", "all kinds"}

    def test_measures_nothing_twice(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(command, "measure", None)
        run_here([argument for argument in run.arguments if argument != "--foreign"])
        again = json.loads(Path(run.arguments[-1]).read_text())
        assert again["results"] == run.report["results"]

    def test_lets_each_model_read_foreign_images(self, run: Run) -> None:
        rejections = run.report["rejections"][str(LABELS)]
        assert [one["model"] for one in rejections] == ["digits", "letters"]
        for one in rejections:
            assert one["right"] + one["wrong"] == TESTED
            assert one["foreign"] == {"other kinds": TESTED, "blank": DRAWN, "noise": DRAWN}

    def test_has_the_general_model_read_all_kinds(self, run: Run) -> None:
        (general,) = run.report["rejections"]["0"]
        assert (general["model"], general["right"] + general["wrong"]) == ("general", 2 * TESTED)
        assert general["foreign"]["other kinds"] == 0


class TestWithoutTraining:
    def test_a_folder_is_used_by_one_command_at_a_time(self, drawn_kinds: Path, limits: None, tmp_path: Path) -> None:
        with command.locked(tmp_path), pytest.raises(SystemExit, match="another command uses"):
            command.main([str(drawn_kinds), "--labels", "2", "--results", str(tmp_path)])
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]

    def test_reports_failed_cells_and_counts_them_as_wrong(
        self, limits: None, drawn_kinds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ["--labels", "15", "--model", str(newest_model()), "--results", str(tmp_path)]
        with pytest.raises(SystemExit, match=r"digits, 15: .*the pool has only 12 images"):
            command.main([str(drawn_kinds), *options])
        printed = capsys.readouterr().out
        assert "| digits | failed |" in printed
        assert "| **median, all kinds** | 0.0% |" in printed

    @pytest.mark.parametrize(
        "options",
        [["--labels", "few"], ["--labels", "-1"], ["--jobs", "0"], ["--model", "none"], ["--json", "none/file.json"]],
    )
    def test_refuses_wrong_options(self, options: list[str], drawn_kinds: Path) -> None:
        with pytest.raises(SystemExit) as ended:
            command.main([str(drawn_kinds), *options])
        assert ended.value.code == 2
