"""The commands as users type them."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import Result

from app.inference.models.model import ImageToTextModel
from tests.command import start_command
from tests.drawn import draw_plain_folder
from tests.training.commands.conftest import SMALL, run
from tests.waiting import GENEROUS_SECONDS, ending
from training.__main__ import EXAMPLES, app
from training.data.dataset import read_image
from training.data.layouts import read_samples
from training.fitting.callbacks import Logs
from training.fitting.run import RunFolder

COMMANDS = {command.__name__: command for command in EXAMPLES}


def interrupt_after(line_start: str, repository: Path, *arguments: object) -> str:
    """Run a command, interrupt it after a line, and return what it printed; it must end cleanly."""
    printed = ""
    with ending(start_command(repository, ("training", *arguments), {})) as process:
        for line in process.stdout or ():
            printed += line
            if line.startswith(line_start):
                process.send_signal(signal.SIGINT)
                break
        printed += "".join(process.communicate(timeout=GENEROUS_SECONDS))
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    assert "--resume" in printed
    return printed


def run_until_stopped(*arguments: object) -> Result:
    """Run a training in this process and stop it after an epoch."""

    @contextmanager
    def stopping(console: Console, epochs: int, done: int) -> Iterator[Callable[[Logs], None]]:
        def on_epoch(logs: Logs) -> None:
            signal.raise_signal(signal.SIGTERM)

        yield on_epoch

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.commands.train.training_progress", stopping)
        try:
            return run(*arguments)
        finally:
            signal.signal(signal.SIGTERM, handler)


OF_THE_EXTRA = [
    "fontTools",
    "httpx",
    "keras",
    "matplotlib",
    "onnx",
    "rapidfuzz",
    "tensorboard",
    "tensorflow",
    "tf2onnx",
]


class TestHelp:
    def test_lists_the_commands(self) -> None:
        result = run("--help")
        assert result.exit_code == 0
        for command in ("download", "validate", "convert", "train", "evaluate", "export", "draw"):
            assert command in result.output

    def test_does_not_import_tensorflow(self, repository: Path) -> None:
        code = "import sys, runpy; sys.argv = ['training', '--help']\n" + (
            "try: runpy.run_module('training', run_name='__main__')\n"
            "except SystemExit: sys.exit(repr({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, cwd=repository, capture_output=True, text=True)
        assert done.stderr.strip() == "set()"

    def test_says_how_to_install_missing_packages(self, repository: Path) -> None:
        code = (
            "import sys, runpy\n"
            f"sys.modules |= dict.fromkeys({OF_THE_EXTRA})\n"
            "sys.argv = ['training', 'validate', '--data', 'samples']\n"
            "runpy.run_module('training', run_name='__main__')"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, cwd=repository, capture_output=True, text=True)
        assert done.returncode == 1
        assert "needs the extra `training`, which is not installed" in done.stderr
        assert "make install" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("name", COMMANDS)
    def test_of_a_command_ends_with_examples(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        printed = run(name, "--help").output
        lines = [line.strip() for line in printed.partition("Examples:")[2].splitlines() if line.strip()]
        assert lines == [f"python -m training {line}" for line in EXAMPLES[COMMANDS[name]]]
        assert "\x1b" not in printed

    @pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
    def test_its_examples_are_valid_commands(self, line: str) -> None:
        name, *arguments = shlex.split(line)
        group = get_command(app)
        assert isinstance(group, TyperGroup)
        group.commands[name].make_context(name, arguments)  # raises where an option is unknown or lacks a value

    def test_describes_defaults_that_depend_on_the_data(self) -> None:
        printed = " ".join(run("validate", "--help").output.split())
        assert "[default: (fits the images)]" in printed

    def test_a_mistyped_option_suggests_the_right_one(self) -> None:
        result = run("train", "--epoch", "3")
        assert result.exit_code == 2
        assert "--epochs" in result.output


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["validate", "--data", "fw"], "few"),
        (["validate", "--data", "label.csv"], "labels.csv"),
        (["validate", "--data", "labels.csv", "--images", "feww"], "few"),
        (["validate", "--data", "few", "--json", "fews/report.json"], "few"),
        (["evaluate", "--data", "few", "--model", "model_stores/mine/1"], "model_store/mine/1"),
        (["evaluate", "--data", "few", "--model", "model_store/mine/1", "--json", "fews/report.json"], "few"),
        (["export", "runs/min/1", "--output", "out"], "runs/mine/1"),
        (["export", "runs/mine/1", "--output", "out", "--crossval", "label.csv"], "labels.csv"),
        (["train", "--data", "few", "--init", "run/mine/1", "--output", "out"], "runs/mine/1"),
        (["train", "--resume", "--run-dir", "run/mine/1"], "runs/mine/1"),
    ],
)
def test_a_mistyped_path_suggests_the_right_one(
    arguments: list[str], meant: str, few_digits: Path, in_folder: Path
) -> None:
    (in_folder / "labels.csv").write_text("path,label\nfew/1234.png,1234\n")
    for folder in ("model_store/mine/1", "runs/mine/1"):
        (in_folder / folder).mkdir(parents=True)
    result = run(*arguments)
    assert result.exit_code == 1
    assert f"Did you mean {meant}?" in result.output


class TestValidate:
    def test_writes_its_findings_as_json(self, few_digits: Path, in_folder: Path) -> None:
        (few_digits / "1111.png").write_text("not an image")
        result = run("validate", "--data", few_digits, "--json", "report.json")
        assert result.exit_code == 1
        report = json.loads((in_folder / "report.json").read_text())
        assert report["images"] == 41
        assert report["vocabulary"] == "0123456789"
        assert report["label_lengths"] == {"4": 41}
        assert report["sizes"] == [{"width": 200, "height": 50, "images": 40}]
        (error,) = report["errors"]
        assert error["certainty"] == "certain"
        assert error["images"] == [f"{few_digits / '1111.png'} (1111)"]
        assert report["warnings"] == []

    def test_prints_a_summary_of_the_data(self, few_digits: Path) -> None:
        result = run("validate", "--data", few_digits)
        assert result.exit_code == 0
        assert "images      40" in result.output
        assert "10: 0123456789" in result.output
        assert "200×50 (40×)" in result.output

    def test_exits_with_status_1_on_errors(self, few_digits: Path) -> None:
        (few_digits / "1111.png").write_text("not an image")
        result = run("validate", "--data", few_digits)
        assert result.exit_code == 1
        assert "1111.png" in result.output

    @pytest.mark.parametrize("arguments", [["--data", "nowhere"], ["--data", ".", "--architecture", "lenet"]])
    def test_explains_wrong_options(self, arguments: list[str], few_digits: Path) -> None:
        result = run("validate", *[few_digits if argument == "." else argument for argument in arguments])
        assert result.exit_code == 1
        assert "error:" in result.output
        assert "Traceback" not in result.output


@dataclass(frozen=True)
class Started:
    """A training of forty images that started from an earlier run, in an empty folder, and what it printed."""

    folder: Path
    result: Result


@pytest.fixture(scope="module")
def started(trained_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Started:
    folder = tmp_path_factory.mktemp("started")
    draw_plain_folder(folder / "few", 40, seed=2)
    with chdir(folder):
        result = run("train", "--data", "few", "--epochs", 2, "--learning-rate", 1e-5, "--init", trained_run.path)
    return Started(folder, result)


class TestTrain:
    def test_writes_to_the_model_store_by_default(self, started: Started) -> None:
        assert started.result.exit_code == 0, started.result.output
        assert "the name of the model is few" in started.result.output
        (version,) = (started.folder / "model_store" / "few").iterdir()
        assert re.fullmatch(r"\d{12}", version.name)
        assert (started.folder / "runs" / "few" / version.name / "run.json").exists()
        assert len(re.findall(r"epoch +\d+ .*CER.*WER", started.result.output)) == 2

    def test_rejects_an_existing_output(self, few_digits: Path, tmp_path: Path, in_folder: Path) -> None:
        result = run("train", "--data", few_digits, "--output", tmp_path, *SMALL)
        assert result.exit_code == 1
        assert "already exists" in result.output

    def test_rejects_invalid_data_before_training(self, few_digits: Path, in_folder: Path) -> None:
        (few_digits / ("1" * 20 + ".png")).write_bytes(next(few_digits.iterdir()).read_bytes())
        result = run("train", "--data", few_digits, "--width", 120, "--output", in_folder / "out")
        assert result.exit_code == 1
        assert "needs 39 output steps" in result.output
        assert not (in_folder / "runs").exists()

    def test_rejects_invalid_initial_weights(self, few_digits: Path, in_folder: Path) -> None:
        result = run("train", "--data", few_digits, "--init", few_digits, "--output", in_folder / "out", *SMALL)
        assert result.exit_code == 1
        assert "is not the folder of a training run" in result.output
        assert not (in_folder / "runs").exists()

    def test_starts_from_an_earlier_run_with_more_images(self, started: Started, trained_run: RunFolder) -> None:
        (written,) = started.folder.glob("model_store/few/*/metrics.json")
        metrics = json.loads(written.read_text())
        assert metrics["training"]["config"]["init"] == str(trained_run.path)
        assert metrics["validation"]["words_right"] >= 3

    def test_without_data_names_the_option(self) -> None:
        result = run("train")
        assert result.exit_code == 1
        assert "--data" in result.output

    def test_resume_without_an_interrupted_run_says_so(self, in_folder: Path) -> None:
        result = run("train", "--resume")
        assert result.exit_code == 1
        assert "no interrupted run" in result.output

    def test_draws_a_preview_without_training(self, few_digits: Path, in_folder: Path) -> None:
        result = run("train", "--data", few_digits, "--preview", "grid.png")
        assert result.exit_code == 0
        image = cv2.imread(str(in_folder / "grid.png"))
        assert image is not None
        assert image.shape[0] >= 8 * 48
        assert image.shape[1] >= 5 * 192
        assert not (in_folder / "runs").exists()

    def test_exports_the_best_weights_when_interrupted_and_resumes(
        self, few_digits: Path, in_folder: Path, repository: Path
    ) -> None:
        output, run_dir = in_folder / "store" / "1", in_folder / "runs" / "store" / "1"
        start = ["--data", few_digits, *SMALL[:-1], 1_000_000, "--output", output]
        assert "epoch   1" in interrupt_after("epoch   2", repository, "train", *start)
        assert (output / "model.onnx").exists()
        stopped = run_until_stopped("train", "--resume", "--output", output)
        assert stopped.exit_code == 130
        assert "epoch   1" not in stopped.output
        assert "--resume" in stopped.output

        done = json.loads((output / "metrics.json").read_text())["training"]["epochs"]
        assert done >= 2
        state = json.loads((run_dir / "run.json").read_text())
        state["config"]["epochs"] = done + 1
        (run_dir / "run.json").write_text(json.dumps(state))
        resumed = run("train", "--resume", "--output", output)
        assert resumed.exit_code == 0, resumed.output
        assert f"{done} of them done" in resumed.output
        assert json.loads((output / "metrics.json").read_text())["training"]["epochs"] == done + 1
        again = run("train", "--resume", "--output", output)
        assert again.exit_code == 1
        assert "is finished" in again.output

    def test_resume_rejects_other_settings(self, trained_run: RunFolder) -> None:
        result = run("train", "--resume", "--run-dir", trained_run.path, "--epochs", "9")
        assert result.exit_code == 1
        assert "started with 3" in result.output


class TestEvaluate:
    def test_prints_and_writes_the_rates(self, trained_model: Path, tmp_path: Path) -> None:
        result = run(
            "evaluate", "--model", trained_model, "--data", trained_model / "val.csv", "--json", tmp_path / "e.json"
        )
        assert result.exit_code == 0
        written = json.loads((tmp_path / "e.json").read_text())
        assert written["images"] == 30
        assert f"{written['words_right']} of 30" in result.output

    def test_verbose_prints_a_line_per_image(self, trained_model: Path) -> None:
        result = run("evaluate", "--model", trained_model, "--data", trained_model / "val.csv", "--verbose")
        lines = re.findall(
            r"^(?:ok   |WRONG) \S+\.png  label (\d{4})  read \d*  CER +[\d.]+%$", result.output, re.MULTILINE
        )
        assert len(lines) == 30

    def test_of_a_folder_without_a_model_says_so(self, few_digits: Path) -> None:
        result = run("evaluate", "--model", few_digits, "--data", few_digits)
        assert result.exit_code == 1
        assert "holds no model" in result.output

    def test_of_a_folder_of_versions_takes_the_newest(self, trained_model: Path) -> None:
        result = run("evaluate", "--model", trained_model.parent, "--data", trained_model / "val.csv")
        assert result.exit_code == 0
        assert f"the newest version is {trained_model}" in " ".join(result.output.split())

    def test_of_data_with_a_test_split_reads_that(self, trained_model: Path, in_folder: Path) -> None:
        rows = (trained_model / "val.csv").read_text().splitlines()[1:]
        parts = zip(rows, ["test", "test", *["train"] * len(rows)], strict=False)
        (in_folder / "all.csv").write_text("path,label,split\n" + "".join(f"{row},{part}\n" for row, part in parts))
        result = run("evaluate", "--model", trained_model, "--data", "all.csv")
        assert "reading the 2 images of test" in result.output
        assert "of 2" in result.output


class TestExport:
    def test_writes_the_model_of_a_finished_run_again(
        self, trained_run: RunFolder, trained_model: Path, tmp_path: Path
    ) -> None:
        result = run("export", trained_run.path, "--output", tmp_path / "again")
        assert result.exit_code == 0
        images = [read_image(sample.path) for sample in read_samples(trained_model / "val.csv")]
        first, again = ImageToTextModel(trained_model), ImageToTextModel(tmp_path / "again")
        np.testing.assert_allclose(first.probabilities(images), again.probabilities(images), atol=1e-6)

    def test_of_something_else_says_so(self, tmp_path: Path) -> None:
        result = run("export", tmp_path, "--output", tmp_path / "out")
        assert result.exit_code == 1
        assert "not the folder of a training run" in result.output


def test_draw_fills_a_folder(tmp_path: Path) -> None:
    result = run("draw", "--output", tmp_path / "drawn", "--count", "3")
    assert result.exit_code == 0
    assert len(list((tmp_path / "drawn").glob("?????.png"))) == 3


def test_download_explains_a_wrong_url(tmp_path: Path) -> None:
    result = run("download", "--url", "ftp://example.org/x.zip", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "https://" in result.output
