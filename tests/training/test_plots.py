"""Learning curves and the reliability diagram."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from training.plots import plot_learning_curves, plot_reliability


def test_the_learning_curves_are_a_picture_with_something_in_it(tmp_path: Path) -> None:
    history = [
        {"epoch": epoch, "loss": 60 / epoch, "val_loss": 50 / epoch, "val_cer": 1 / epoch, "val_wer": 1 / epoch}
        for epoch in range(1, 20)
    ]
    plot_learning_curves(history, 18, tmp_path / "curves.png")
    image = cv2.imread(str(tmp_path / "curves.png"))
    assert image is not None
    assert image.shape == (380, 1000, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100


class TestTheReliabilityDiagram:
    def test_has_a_point_for_readings_of_similar_confidence(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_reliability([0.95] * 4 + [0.5] * 2, [True, True, True, False, True, False], tmp_path / "picture.png")
        accuracy, counts = figures[0].axes
        _, points = accuracy.lines
        assert points.get_xdata() == pytest.approx([0.5, 0.95])
        assert points.get_ydata() == pytest.approx([0.5, 0.75])
        assert [bar.get_height() for bar in counts.containers[0]] == [2, 4]
        assert counts.get_ylim()[0] < 1, "a single word is to be seen"

    def test_says_by_a_line_how_little_few_readings_tell(self, figures: list[Figure], tmp_path: Path) -> None:
        plot_reliability([0.95] * 100 + [0.5], [True] * 101, tmp_path / "picture.png")
        (lines,) = (one for one in figures[0].axes[0].collections if isinstance(one, LineCollection))
        few, many = (segment[:, 1] for segment in lines.get_segments())
        assert few.tolist() == pytest.approx([0.2065, 1], abs=1e-3)
        assert many.tolist() == pytest.approx([0.9630, 1], abs=1e-3)
