"""Cross-validation: every image is read by a model that has not seen it."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from app.inference.reader import Reader
from tests.command import start_command
from tests.pools import cross_validating_here
from tests.waiting import GENEROUS_SECONDS, ending, wait_until
from training.__main__ import app
from training.data.dataset import DataError, Sample
from training.data.layouts import read_samples
from training.evaluation.evaluate import evaluate
from training.pipeline.crossval import Part, PartResult, default_folder, fold_parts, label_parts

SMALL = ["--architecture", "conv_ctc", "--width", "96", "--height", "32", "--epochs", "1"]


def some_samples(count: int) -> list[Sample]:
    return [Sample(Path(f"{index:04}.png"), f"{index:04}") for index in range(count)]


class TestFolds:
    def test_each_image_is_unseen_once_per_repeat(self) -> None:
        samples = some_samples(105)
        parts = fold_parts(samples, folds=10, repeats=2)
        assert len(parts) == 20
        for repeat in (parts[:10], parts[10:]):
            assert sorted(sample for part in repeat for sample in part.unseen) == samples
        assert parts[0].unseen != parts[10].unseen
        assert {len(part.unseen) for part in parts} == {10, 11}

    def test_no_image_is_both_known_and_unseen(self) -> None:
        samples = some_samples(50)
        for part in fold_parts(samples, folds=5, repeats=1):
            assert not set(part.known) & set(part.unseen)
            assert sorted(part.known + part.unseen) == samples

    @pytest.mark.parametrize(("images", "folds"), [(10, 1), (5, 5)])
    def test_in_impossible_numbers_are_rejected(self, images: int, folds: int) -> None:
        with pytest.raises(DataError, match="cannot be divided"):
            fold_parts(some_samples(images), folds, repeats=1)


class TestLabels:
    def test_are_known_and_all_other_images_unseen(self) -> None:
        samples = some_samples(100)
        parts = label_parts(samples, labels=25, repeats=3)
        for part in parts:
            assert (len(part.known), len(part.unseen)) == (25, 75)
            assert sorted(part.known + part.unseen) == samples
        assert parts[0].known != parts[1].known

    @pytest.mark.parametrize("labels", [2, 100])
    def test_in_impossible_numbers_are_rejected(self, labels: int) -> None:
        with pytest.raises(DataError, match="cannot be drawn"):
            label_parts(some_samples(100), labels, repeats=1)


def run(data: Path, output: Path, *options: str) -> Result:
    arguments = ["crossval", "--data", str(data), "--output", str(output), *SMALL, *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def few_digits(drawn_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return forty of the drawn digits."""
    folder = tmp_path_factory.mktemp("few")
    for path in sorted(drawn_digits.iterdir())[:40]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def two_folds(few_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a cross-validation with two folds: a process did the first, this one the second."""
    folder = tmp_path_factory.mktemp("two") / "cv"
    result = run(few_digits, folder, "--folds", "2", "--first", "1")
    assert result.exit_code == 0, result.output
    (readings,) = folder.glob("*/readings.json")
    readings.write_text(readings.read_text().replace('"seconds": ', '"seconds": 1000'))
    with cross_validating_here():
        result = run(few_digits, folder, "--folds", "2")
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def copy_of_two_folds(two_folds: Path, tmp_path: Path) -> Path:
    """Return a copy of it that may be changed."""
    return Path(shutil.copytree(two_folds, tmp_path / "cv"))


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class TestTheCommand:
    def test_reads_every_image_and_reports(self, few_digits: Path, two_folds: Path) -> None:
        report = json.loads((two_folds / "crossval.json").read_text())
        assert report["images"] == 40
        assert [training["images"] for training in report["trainings"]] == [20, 20]
        assert report["words_right"] + len(report["wrong"]) == 40
        assert report["wer_interval"][0] <= report["wer"] <= report["wer_interval"][1]
        assert 0 <= report["coverage_at_99.9"] <= report["coverage_at_99.5"] <= 1
        assert {Path(line["path"]).name for line in report["wrong"]} <= {path.name for path in few_digits.iterdir()}
        markdown = (two_folds / "crossval.md").read_text()
        assert f"**{report['words_right']} of 40**" in markdown
        assert "95 % interval" in markdown
        pictures = ["confusions.png", "reliability.png", "worst_readings.png"]
        assert sorted(re.findall(r"!\[.+\]\((.+)\)", markdown)) == pictures
        for name in pictures:
            assert cv2.imread(str(two_folds / name)) is not None

    def test_resumes_fold_by_fold(self, few_digits: Path, two_folds: Path) -> None:
        report = json.loads((two_folds / "crossval.json").read_text())
        parts = fold_parts(read_samples(few_digits), folds=2, repeats=1)
        assert [training["name"] for training in report["trainings"]] == [part.name for part in parts]
        assert report["trainings"][0]["seconds"] >= 1000
        assert report["trainings"][1]["seconds"] < 1000

    @pytest.mark.usefixtures("in_this_process")
    def test_reads_a_fold_again_if_its_readings_are_missing(self, few_digits: Path, copy_of_two_folds: Path) -> None:
        _, second = fold_parts(read_samples(few_digits), folds=2, repeats=1)
        readings = copy_of_two_folds / second.name / "readings.json"
        before = json.loads(readings.read_text())
        readings.unlink()
        assert run(few_digits, copy_of_two_folds, "--folds", "2").exit_code == 0
        assert json.loads(readings.read_text()) == before

    def test_starts_no_process_if_everything_is_done(
        self, few_digits: Path, copy_of_two_folds: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = (copy_of_two_folds / "crossval.json").read_text()
        (copy_of_two_folds / "crossval.json").unlink()
        monkeypatch.delattr("multiprocessing.process.BaseProcess.start")
        assert run(few_digits, copy_of_two_folds, "--folds", "2").exit_code == 0
        assert (copy_of_two_folds / "crossval.json").read_text() == before

    @pytest.mark.usefixtures("in_this_process")
    def test_draws_labels(
        self, few_digits: Path, tmp_path: Path, shipped_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read_untrained(part: Part, *_: object) -> PartResult:
            return PartResult(part.name, len(part.known), 1.0, evaluate(Reader(shipped_model), part.unseen).lines)

        monkeypatch.setattr("training.pipeline.crossval.run_part", read_untrained)
        result = run(few_digits, tmp_path, "--labels", "12", "--seeds", "1")
        assert result.exit_code == 0, result.output
        report = json.loads((tmp_path / "crossval.json").read_text())
        assert [(one["labels"], one["images"]) for one in report["trainings"]] == [(12, 28)]

    def test_can_be_limited_to_the_first_trainings(self, few_digits: Path, copy_of_two_folds: Path) -> None:
        first, second = fold_parts(read_samples(few_digits), folds=2, repeats=1)
        shutil.rmtree(copy_of_two_folds / second.name)
        result = run(few_digits, copy_of_two_folds, "--folds", "2", "--first", "1")
        assert result.exit_code == 0, result.output
        report = json.loads((copy_of_two_folds / "crossval.json").read_text())
        assert [one["name"] for one in report["trainings"]] == [first.name]
        assert report["images"] == 20
        assert not (copy_of_two_folds / second.name).exists()

    def test_rejects_a_folder_with_other_settings(self, few_digits: Path, two_folds: Path) -> None:
        result = run(few_digits, two_folds, "--folds", "2", "--init", "none")
        assert result.exit_code == 1
        assert "other settings or images" in result.output

    def test_uses_separate_folders_for_different_settings(self, few_digits: Path) -> None:
        samples = read_samples(few_digits)
        plain, tutorial, from_run = (
            default_folder(few_digits, samples, options)
            for options in ({"init": None}, {"architecture": "resnet_blstm"}, {"init": "runs/captcha/1", "epochs": 3})
        )
        assert plain.parts[:2] == ("runs", "crossval")
        assert len({plain, tutorial, from_run}) == 3
        assert from_run.parent == plain.parent

    def test_stopped_leaves_no_process_behind(self, few_digits: Path, tmp_path: Path, repository: Path) -> None:
        options = ["--output", tmp_path / "cv", *SMALL[:-1], "1000000", "--folds", "2"]
        command = start_command(repository, ("training", "crossval", "--data", few_digits, *options), {})
        with ending(command) as process:
            wait_until(lambda: list(tmp_path.glob("cv/*/run/checkpoint.npz")) or process.poll())
            os.kill(process.pid, signal.SIGTERM)
            _, said = process.communicate(timeout=GENEROUS_SECONDS)
            assert process.returncode == 130, said
            wait_until(lambda: not group_lives(process.pid))
        assert "Traceback" not in said
        assert "the same command resumes" in said

    def test_rejects_impossible_numbers(self, few_digits: Path, tmp_path: Path) -> None:
        result = run(few_digits, tmp_path / "cv", "--labels", "40")
        assert result.exit_code == 1
        assert "cannot be drawn" in result.output
