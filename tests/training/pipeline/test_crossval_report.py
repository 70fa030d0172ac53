"""The report of a cross-validation."""

import json
from dataclasses import replace
from pathlib import Path

import cv2

from app.inference.reader import Reader
from training.drawing.draw import draw_captcha
from training.evaluation.evaluate import Line
from training.pipeline.crossval import PartResult
from training.pipeline.crossval_report import make_report, to_markdown, write_report

COMMAND = "python -m training crossval"


def result_of(*lines: Line) -> PartResult:
    return PartResult("part", known=10, seconds=60.0, lines=list(lines))


def markdown_of(*lines: Line) -> str:
    return to_markdown(make_report([result_of(*lines)], COMMAND))


class TestConfusions:
    def test_are_sorted_by_frequency(self) -> None:
        markdown = markdown_of(Line("1", "nn", "mm", 0.9), Line("2", "c|", "e|", 0.9), Line("3", "|", "", 0.9))
        rows = [line for line in markdown.splitlines() if line.endswith((" 1 |", " 2 |"))]
        assert rows == ["| `n` | `m` | 2 |", "| `c` | `e` | 1 |", r"| `\|` | nothing | 1 |"]

    def test_are_limited_to_twenty(self) -> None:
        markdown = markdown_of(*(Line("1", chr(ord("a") + index), "z", 0.9) for index in range(25)))
        assert markdown.count("| `z` | 1 |") == 20
        assert "has 5 more" in markdown

    def test_have_no_table_if_there_are_none(self) -> None:
        markdown = markdown_of(Line("1", "ab", "ab", 0.9))
        assert "| label | read |" not in markdown
        assert "## Read wrong: 0" in markdown


def test_coverage_is_reported_for_both_precisions() -> None:
    lines = [Line(str(index), "a", "a" if index else "b", 1 - index / 1000) for index in range(300)]
    report = make_report([result_of(*lines)], COMMAND)
    assert (report["coverage_at_99.5"], report["coverage_at_99.9"]) == (1.0, 0.0)
    markdown = to_markdown(report)
    assert "| coverage: most confident words, 99.5% of them right | 100.0% |" in markdown
    assert "| coverage: most confident words, 99.9% of them right | 0.0% |" in markdown


def test_a_wrong_word_is_listed_with_its_image() -> None:
    assert "| data/x.png | `ab` | nothing | 0.250 |" in markdown_of(Line("data/x.png", "ab", "", 0.25))


def test_the_worst_readings_are_shown_with_boxes(tmp_path: Path, shipped_model: Path) -> None:
    path, folder = tmp_path / "x.png", tmp_path / "cv"
    cv2.imwrite(str(path), draw_captcha("2b5xw", 1))
    folder.mkdir()
    bare = Line(str(path), "2b5xw", "2b5xw", 0.9)
    boxed = replace(bare, characters=Reader(shipped_model).read(path).characters)
    pictures = []
    for line in (bare, boxed):
        write_report([result_of(line)], folder, COMMAND)
        pictures.append(cv2.imread(str(folder / "worst_readings.png")))
    assert json.loads((folder / "crossval.json").read_text())["words_right"] == 1
    assert pictures[0] is not None
    assert (pictures[0] != pictures[1]).any()
