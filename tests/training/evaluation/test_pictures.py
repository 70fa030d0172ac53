"""The plots of confusions and reliability."""

import string
from pathlib import Path

import cv2
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from training.evaluation.evaluate import Line
from training.evaluation.pictures import draw_pictures, plot_confusions, plot_reliability


def names(axes: Axes) -> list[str]:
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        label.get_text() for label in axes.get_yticklabels()
    ]
    return [label.get_text() for label in axes.get_yticklabels()]


def cells(axes: Axes) -> dict[tuple[str, str], str]:
    """Return the texts in the cells: (name of the row, name of the column) → text."""
    places = [(text.get_position(), text.get_text()) for text in axes.texts]
    return {(names(axes)[int(y)], names(axes)[int(x)]): text for (x, y), text in places}


def colour(axes: Axes, row: int, column: int) -> tuple[float, float, float]:
    """Return red, green and blue of a cell, 0…1; white if it is empty."""
    for image in axes.images:
        shown = image.get_array()
        assert shown is not None
        red, green, blue, opacity = image.to_rgba(shown)[row, column]
        if opacity:
            return float(red), float(green), float(blue)
    return 1.0, 1.0, 1.0


class TestTheConfusions:
    def test_are_counted_by_label_character_and_read_character(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_confusions(["ab", "ab", "ba", "b"], ["ab", "bb", "a", "ba"], tmp_path / "picture.png")
        (axes,) = figures[0].axes
        assert names(axes) == ["a", "b", "nothing"]
        assert cells(axes) == {
            ("a", "a"): "2",
            ("a", "b"): "1",
            ("b", "b"): "3",
            ("b", "nothing"): "1",
            ("nothing", "a"): "1",
        }
        assert "5 of 7 characters read right" in figures[0].get_suptitle()

    def test_have_another_colour_than_correct_readings(self, figures: list[Figure], tmp_path: Path) -> None:
        labels, predictions = ["a" * 1000, "b" * 100, "c" * 10], ["a" * 999 + "b", "b" * 99 + "c", "c" * 4 + "a" * 6]
        plot_confusions(labels, predictions, tmp_path / "picture.png")
        (axes,) = figures[0].axes
        red, _, blue = colour(axes, 0, 0)
        assert blue > red + 0.2
        thousandth, hundredth, most = colour(axes, 0, 1), colour(axes, 1, 2), colour(axes, 2, 0)
        red, _, blue = thousandth
        assert red > blue + 0.05, "one in a thousand is visible"
        assert sum(most) < sum(hundredth) < sum(thousandth), "more frequent errors are darker"
        assert colour(axes, 3, 0) == (1, 1, 1)

    @pytest.mark.parametrize("vocabulary", [string.digits, string.digits + string.ascii_letters])
    def test_are_legible_whatever_the_vocabulary(self, vocabulary: str, figures: list[Figure], tmp_path: Path) -> None:
        plot_confusions([vocabulary], [vocabulary[::-1]], tmp_path / "picture.png")
        (axes,) = figures[0].axes
        assert len(names(axes)) == len(vocabulary) + 1
        cell = axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]
        widest = max(text.get_window_extent().width for text in axes.texts)
        assert 20 < cell < 45
        assert widest < cell

    def test_of_a_large_vocabulary_show_only_confused_characters(self, figures: list[Figure], tmp_path: Path) -> None:
        vocabulary = "".join(map(chr, range(0xC0, 0xC0 + 100)))
        plot_confusions([vocabulary, "À"], [vocabulary, "Ö"], tmp_path / "picture.png")
        assert names(figures[0].axes[0]) == ["À", "Ö", "nothing"]
        assert "the 2 of 100 characters that were ever confused" in figures[0].get_suptitle()

    def test_of_a_large_vocabulary_are_limited_to_the_most_frequent(
        self, figures: list[Figure], tmp_path: Path
    ) -> None:
        vocabulary = "".join(map(chr, range(0xC0, 0xC0 + 100)))
        plot_confusions([vocabulary, "ÀÀ"], [vocabulary[::-1], "ÖÖ"], tmp_path / "picture.png")
        assert len(names(figures[0].axes[0])) == 81
        assert {"À", "Ö"} < set(names(figures[0].axes[0]))
        assert "the 80 of 100 characters confused most often" in figures[0].get_suptitle()

    def test_are_not_drawn_if_there_are_none(self, figures: list[Figure], tmp_path: Path) -> None:
        vocabulary = "".join(map(chr, range(0xC0, 0xC0 + 100)))
        plot_confusions([vocabulary], [vocabulary], tmp_path / "picture.png")
        assert not figures[0].axes[0].texts
        assert "none of the 100 characters was ever confused" in figures[0].get_suptitle()

    def test_show_code_points_for_characters_missing_in_the_fonts(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_confusions(["Ж中$ $"], ["Ж中$"], tmp_path / "picture.png")
        assert names(figures[0].axes[0]) == ["U+0020", "$", "Ж", "U+4E2D", "nothing"]

    def test_are_drawn_even_if_nothing_was_read(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_confusions(["ab"], [""], tmp_path / "picture.png")
        assert cells(figures[0].axes[0]) == {("a", "nothing"): "1", ("b", "nothing"): "1"}

    def test_need_equally_many_texts_and_labels(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="zip"):
            plot_confusions(["a", "b"], ["a"], tmp_path / "picture.png")


def test_plots_with_images_of_the_data_are_stored_separately(tmp_path: Path) -> None:
    for name in ("model", "run"):
        (tmp_path / name).mkdir()
    lines = [Line("gone.png", "ab", "ab", 0.9), Line("gone.png", "ab", "aa", 0.4)]
    draw_pictures(lines, tmp_path / "model", tmp_path / "run" / "worst.png")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"confusions.png", "reliability.png"}
    for path in [*(tmp_path / "model").iterdir(), tmp_path / "run" / "worst.png"]:
        assert cv2.imread(str(path)) is not None


class TestTheReliabilityDiagram:
    def test_has_a_point_for_readings_of_similar_confidence(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_reliability([0.95] * 4 + [0.5] * 2, [True, True, True, False, True, False], tmp_path / "picture.png")
        accuracy, counts = figures[0].axes
        _, points = accuracy.lines
        assert points.get_xdata() == pytest.approx([0.5, 0.95])
        assert points.get_ydata() == pytest.approx([0.5, 0.75])
        assert [bar.get_height() for bar in counts.containers[0]] == [2, 4]
        assert counts.get_ylim()[0] < 1, "a single word is visible"

    def test_shows_the_uncertainty_of_few_readings(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_reliability([0.95] * 100 + [0.5], [True] * 101, tmp_path / "picture.png")
        (lines,) = (one for one in figures[0].axes[0].collections if isinstance(one, LineCollection))
        few, many = (segment[:, 1] for segment in lines.get_segments())
        assert few.tolist() == pytest.approx([0.2065, 1], abs=1e-3)
        assert many.tolist() == pytest.approx([0.9630, 1], abs=1e-3)
