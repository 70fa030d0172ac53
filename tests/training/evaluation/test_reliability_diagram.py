"""The reliability diagram."""

from pathlib import Path

import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from training.evaluation.pictures import plot_reliability


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
