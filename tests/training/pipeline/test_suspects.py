"""Suspects: wrong labels are found among right ones, most confident contradiction first."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.shared.command_line import pasteable
from training.__main__ import app
from training.data.dataset import Sample, write_csv
from training.data.layouts import read_samples
from training.data.suspects import Suspect
from training.evaluation.evaluate import Line
from training.pipeline.crossval import PartResult
from training.pipeline.suspects import MIN_CONFIDENCE, find_suspects

SHARE = 0.05
"""Fraction of the labels that are changed at random."""


def results(*lines: Line) -> list[PartResult]:
    return [PartResult(str(index), 9, 1.0, [line]) for index, line in enumerate(lines)]


class TestASuspect:
    def test_is_a_label_with_a_confident_contradicting_reading(self) -> None:
        line = Line("a.png", "1234", "1284", 0.97)
        assert find_suspects(results(line)) == [Suspect("a.png", "1234", "1284", 0.97)]

    @pytest.mark.parametrize(
        "line",
        [
            Line("a.png", "1234", "1234", 0.97),
            Line("a.png", "1234", "1284", MIN_CONFIDENCE - 0.01),
            Line("a.png", "1234", "", 0.0, error="not an image"),
        ],
        ids=["agrees", "is uncertain", "cannot be opened"],
    )
    def test_is_not_a_label_whose_reading(self, line: Line) -> None:
        assert find_suspects(results(line)) == []

    def test_comes_earlier_if_the_reading_is_more_confident(self) -> None:
        lines = [Line("a.png", "1", "2", 0.6), Line("b.png", "1", "2", 0.9), Line("c.png", "1", "2", 0.7)]
        assert [suspect.path for suspect in find_suspects(results(*lines))] == ["b.png", "c.png", "a.png"]


@pytest.fixture(scope="module")
def mislabelled(drawn_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return a list of the drawn digits with some labels changed, and their right labels by path."""
    folder = tmp_path_factory.mktemp("mislabelled")
    shutil.copytree(drawn_digits, folder / "digits")
    samples, rng = read_samples(folder / "digits"), np.random.default_rng(1)
    changed: dict[str, str] = {}
    for index in rng.choice(len(samples), round(SHARE * len(samples)), replace=False):
        path, label = samples[index].path, samples[index].label
        changed[path.as_posix()] = label
        place = int(rng.integers(len(label)))
        other = str(rng.choice([digit for digit in "0123456789" if digit != label[place]]))
        samples[index] = Sample(path, label[:place] + other + label[place + 1 :])
    write_csv(samples, folder / "labels.csv")
    return folder / "labels.csv", changed


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_labels_that_were_changed_are_found(
    mislabelled: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, changed = mislabelled
    arguments = ["suspects", "--data", str(data), "--folds", "2", "--architecture", "conv_ctc", "--epochs", "3"]
    done = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "found.csv")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with (tmp_path / "found.csv").open(newline="") as file:
        found = {row["path"]: row["reading"] for row in csv.DictReader(file)}
    right = {path for path, reading in found.items() if changed.get(path) == reading}
    assert len(right) >= 0.9 * len(changed)
    assert len(right) >= 0.8 * len(found)
    assert f"{len(found)} of 300 labels are contradicted" in done.output
    page = pasteable("training", "label", os.path.relpath(data.parent / "digits"), "--labels", data)
    assert done.output.endswith(f"on the labelling page with:\n  {page} --suspects {tmp_path / 'found.csv'}\n")
