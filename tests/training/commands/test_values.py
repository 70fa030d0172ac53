"""`train --values` and `evaluate --values`: labels that are values of sums."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.drawn_text import drawn
from tests.training.commands.conftest import run
from training.data.dataset import Sample, read_csv, write_csv
from training.drawing.draw import draw_captcha

KNOWN, UNSEEN = 60, 20


@pytest.fixture
def store(in_folder: Path, repository: Path) -> Path:
    """Return a model store with the general model, in the current folder."""
    (in_folder / "model_store").mkdir()
    (in_folder / "model_store" / "general").symlink_to(repository / "model_store" / "general")
    return in_folder / "model_store"


def draw_sums(folder: Path) -> list[tuple[Path, str, int]]:
    """Draw captchas of different sums; return paths, texts and values."""
    pairs = [(first, sign, second) for first in range(1, 20) for sign in "+-x" for second in range(1, 10)]
    sums = []
    for place in np.random.default_rng(0).permutation(len(pairs))[: KNOWN + UNSEEN].tolist():
        first, sign, second = pairs[place]
        value = {"+": first + second, "-": first - second, "x": first * second}[sign]
        sums.append((folder / f"{place}.png", f"{first}{sign}{second}=", value))
        Image.fromarray(draw_captcha(sums[-1][1], place)).save(sums[-1][0])
    return sums


@pytest.mark.slow
@pytest.mark.timeout(1800)  # trains, which takes long on a busy machine
def test_a_model_trained_on_values_reads_other_sums(store: Path, in_folder: Path) -> None:
    (in_folder / "sums").mkdir()
    pictures = draw_sums(in_folder / "sums")
    samples = [Sample(path, str(value)) for path, _, value in pictures]
    write_csv(samples[:KNOWN], in_folder / "known.csv")
    write_csv(samples[KNOWN:], in_folder / "unseen.csv")
    options = ("--architecture", "conv_ctc", "--name", "sums", "--epochs", 24)
    trained = run("train", "--values", "--data", "known.csv", *options)
    assert trained.exit_code == 0, trained.output
    assert f"of {KNOWN} images; the others are left out" in trained.output
    shown = {str(path): text for path, text, _ in pictures}
    (version,) = (store / "sums").iterdir()
    learnt = [*read_csv(version / "train.csv"), *read_csv(version / "val.csv")]
    assert sum(sample.label == shown[str(sample.path)] for sample in learnt) >= 0.85 * KNOWN
    evaluated = run(
        "evaluate", "--values", "--model", "model_store/sums", "--data", "unseen.csv", "--json", "report.json"
    )
    assert evaluated.exit_code == 0
    assert json.loads(Path("report.json").read_text())["words_right"] >= 0.7 * UNSEEN


class TestEvaluate:
    def test_compares_values_whatever_the_labels_are(self, store: Path, in_folder: Path) -> None:
        samples = []
        for number, (text, label) in enumerate([("10-2=", "8"), ("5x6=", "5×6"), ("3+4=", "9"), ("hello", "1")]):
            (in_folder / f"{number}.png").write_bytes(drawn(text))
            samples.append(Sample(in_folder / f"{number}.png", label))
        write_csv(samples, in_folder / "sums.csv")
        result = run("evaluate", "--model", "model_store/general", "--data", "sums.csv", "--values", "--verbose")
        assert result.exit_code == 0
        assert "values right  2 of 4" in result.output
        lines = [line for line in result.output.splitlines() if ".png" in line]
        assert [line.split()[0] for line in lines] == ["ok", "ok", "WRONG", "WRONG"]
        assert "label 30  read 30" in lines[1]
        assert "label 9  read 7" in lines[2]

    def test_rejects_labels_that_are_not_values(self, store: Path, few_digits: Path, in_folder: Path) -> None:
        write_csv([Sample(next(few_digits.iterdir()), "b5wn6")], in_folder / "texts.csv")
        result = run("evaluate", "--model", "model_store/general", "--data", "texts.csv", "--values")
        assert result.exit_code == 1
        assert "'b5wn6', which is neither a whole number nor a sum" in " ".join(result.output.split())

    def test_rejects_the_option_that_compares_texts(self, store: Path, few_digits: Path) -> None:
        result = run("evaluate", "--model", "model_store/general", "--data", few_digits, "--values", "--robustness")
        assert result.exit_code == 1
        assert "--values cannot be combined with" in result.output


def test_training_by_values_needs_the_general_model(few_digits: Path, in_folder: Path) -> None:
    (in_folder / "model_store").mkdir()
    result = run("train", "--values", "--data", few_digits, "--name", "sums")
    assert result.exit_code == 1
    assert "model_store/general is not a model folder" in result.output
