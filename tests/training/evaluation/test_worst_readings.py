"""The grid of the worst readings."""

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from app.inference import Reader
from app.inference.images import Pixels
from training.data.dataset import Sample
from training.drawing.draw import draw_captcha
from training.evaluation.evaluate import Line, evaluate
from training.evaluation.worst_readings import plot_worst_readings, worst_first

TEXT = "2b5xw"
Plot = Callable[[Sequence[Line]], Axes]


@pytest.fixture
def plot(figures: list[Figure], tmp_path: Path) -> Plot:
    """Return a function that draws the grid and returns its axes, in inches from the top left corner."""

    def run(readings: Sequence[Line]) -> Axes:
        plot_worst_readings(readings, tmp_path / "worst.png")
        assert cv2.imread(str(tmp_path / "worst.png")) is not None
        return figures[-1].axes[0]

    return run


@pytest.fixture
def read(tmp_path: Path, shipped_model: Path) -> Callable[..., list[Line]]:
    """Return a function that reads images with the shipped model; their label is TEXT unless another is given."""

    def run(*images: Pixels, label: str = TEXT, model: Path = shipped_model) -> list[Line]:
        samples = []
        for index, image in enumerate(images):
            samples.append(Sample(tmp_path / f"{index}.png", label))
            cv2.imwrite(str(samples[-1].path), image)
        return evaluate(Reader(model), samples).lines

    return run


Read = Callable[..., list[Line]]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def titles(axes: Axes) -> list[str]:
    return [text for text in texts(axes) if text.startswith(("✗", "✓")) and "\n" not in text]


def boxes(axes: Axes) -> list[Rectangle]:
    """Return the characters' boxes: all rectangles but the outlines of the images."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)][1:]


class TestTheOrder:
    def test_is_wrong_by_falling_then_right_by_rising_confidence(self) -> None:
        readings = [("ab", 0.9), ("ax", 0.2), ("ab", 0.3), ("", 0.8)]
        lines = [Line(f"{index}.png", "ab", *reading) for index, reading in enumerate(readings)]
        ordered = worst_first(lines)
        assert [(line.prediction, line.confidence) for line in ordered] == [
            ("", 0.8),
            ("ax", 0.2),
            ("ab", 0.3),
            ("ab", 0.9),
        ]


class TestATile:
    def test_of_a_right_reading_has_a_title_an_image_and_boxes(self, plot: Plot, read: Read) -> None:
        image = draw_captcha(TEXT, 1)
        (line,) = read(image)
        axes = plot([line])
        assert titles(axes) == [f"✓ {TEXT} → {TEXT} {line.confidence:.3f}"]
        np.testing.assert_array_equal(axes.images[0].get_array(), image)
        assert [text for text in texts(axes) if len(text) == 1] == list(TEXT)
        assert len([text for text in texts(axes) if text[:2] in {"0.", "1."}]) == len(TEXT)
        assert len(boxes(axes)) == len(TEXT)
        assert {box.get_linestyle() for box in boxes(axes)} == {"-"}

    def test_has_boxes_at_the_characters(self, plot: Plot, read: Read) -> None:
        axes = plot(read(draw_captcha(TEXT, 1)))
        left, right, bottom, top = axes.images[0].get_extent()
        assert (right - left) / (bottom - top) == pytest.approx(200 / 50)
        # The first letter's ink begins at pixel 29 or 30 of 200; the last one's ends near 145.
        places = [(box.get_x() - left) / (right - left) * 200 for box in boxes(axes)]
        assert places == sorted(places)
        assert 20 < places[0] < 35
        assert 110 < places[-1] < 130

    def test_of_a_wrong_reading_is_marked_by_sign_weight_and_dashes(self, plot: Plot, read: Read) -> None:
        axes = plot(read(draw_captcha(TEXT, 1), label="2b6xw"))
        assert titles(axes)[0].startswith("✗ 2b6xw → 2b5xw ")
        assert [box.get_linestyle() for box in boxes(axes)] == ["-", "-", "--", "-", "-"]
        weights = {text.get_text(): text.get_fontweight() for text in axes.texts}
        assert weights["5"] == "bold"
        assert weights["2"] == "normal"

    def test_without_any_text_says_so(self, plot: Plot, read: Read) -> None:
        (line,) = read(np.full((50, 200), 255, np.uint8))
        assert line.prediction == ""
        axes = plot([line])
        assert titles(axes) == [f"✗ {TEXT} → (nothing) {line.confidence:.3f}"]
        assert not boxes(axes)

    def test_shows_the_right_colours(self, plot: Plot, read: Read) -> None:
        image = np.dstack([draw_captcha(TEXT, 1), np.zeros((50, 200), np.uint8), np.full((50, 200), 255, np.uint8)])
        axes = plot(read(image))
        np.testing.assert_array_equal(axes.images[0].get_array(), image[..., ::-1])

    def test_takes_labels_of_any_length_and_script(self, plot: Plot, read: Read) -> None:
        axes = plot(read(draw_captcha(TEXT, 1), label="$x$中" * 30))
        title = next(text for text in axes.texts if text.get_text().startswith("✗ $ x $ U+4E2D"))
        assert "…" in title.get_text()
        assert title.get_window_extent().width < 1300

    def test_of_a_model_without_boxes_has_only_characters(
        self, plot: Plot, read: Read, shipped_model: Path, tmp_path: Path
    ) -> None:
        model = tmp_path / "placeless"
        shutil.copytree(shipped_model, model)
        (model / "SHA256SUMS").unlink()
        configs = (model / "configs.yaml").read_text()
        assert "time_axis: width" in configs
        (model / "configs.yaml").write_text(configs.replace("time_axis: width", "time_axis: null"))
        axes = plot(read(draw_captcha(TEXT, 1), model=model))
        assert [text for text in texts(axes) if len(text) == 1] == list(TEXT)
        assert not boxes(axes)

    def test_without_characters_has_only_the_image(self, plot: Plot, read: Read) -> None:
        (line,) = read(draw_captcha(TEXT, 1))
        axes = plot([replace(line, characters=())])
        assert titles(axes) == [f"✓ {TEXT} → {TEXT} {line.confidence:.3f}"]
        assert len(axes.images) == 1
        assert not boxes(axes)


class TestTheGrid:
    def test_has_the_24_worst(self, plot: Plot, read: Read) -> None:
        readings = read(*(draw_captcha(TEXT, seed) for seed in range(26)))
        axes = plot(readings)
        worst = worst_first(readings)[:24]
        assert [title.rsplit(maxsplit=1)[1] for title in titles(axes)] == [f"{line.confidence:.3f}" for line in worst]
        assert len({round(image.get_extent()[0], 3) for image in axes.images}) == 4
        wrong = sum(not line.right for line in readings)
        assert texts(axes)[0] == f"{wrong} of 26 images read wrong. The 24 worst readings:"

    def test_skips_images_that_cannot_be_opened(self, plot: Plot, read: Read) -> None:
        readings = [*read(draw_captcha(TEXT, 1)), Line("gone.png", "a", "b", 0.9)]
        assert len(titles(plot(readings))) == 1

    def test_without_images_is_still_drawn(self, plot: Plot) -> None:
        assert texts(plot([]))[0] == "0 of 0 images read wrong. The 0 worst readings:"

    @pytest.mark.parametrize(
        "sizes",
        [
            [(2, 2)],
            [(200, 50)] * 2,
            [(20, 8), (200, 50), (50, 400)],
            [(2000, 50), (3000, 50)],
            [(2400, 1500)] * 3,
            [(50, 400)] * 5,
            [(900, 100)] * 3,
        ],
    )
    def test_does_not_distort_or_overlap_images_of_any_shape(
        self, sizes: list[tuple[int, int]], plot: Plot, read: Read
    ) -> None:
        axes = plot(read(*(cv2.resize(draw_captcha(TEXT, 1), size) for size in sizes)))
        extents = [image.get_extent() for image in axes.images]
        shapes = sorted((right - left) / (bottom - top) for left, right, bottom, top in extents)
        assert shapes == pytest.approx(sorted(width / height for width, height in sizes), rel=0.01)
        (_, width), (height, _) = axes.get_xlim(), axes.get_ylim()
        for left, right, bottom, top in extents:
            assert 0 < left < right < width
            assert 0 < top < bottom < height
        for one, two in itertools.combinations(extents, 2):
            assert one[1] < two[0] or two[1] < one[0] or one[2] < two[3] or two[2] < one[3]
        confidences = [text for text in axes.texts if text.get_text()[:2] in {"0.", "1."}]
        for one_text, two_text in itertools.combinations(confidences, 2):
            assert not one_text.get_window_extent().overlaps(two_text.get_window_extent())
