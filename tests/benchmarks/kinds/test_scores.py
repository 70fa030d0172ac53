"""Counting words and characters that are read correctly."""

import random

import pytest

from benchmarks.kinds.scores import interval, median_and_worst, score


class TestScores:
    def test_are_counted_exactly_and_ignoring_case_and_white_space(self) -> None:
        assert score(["ab12", "Two Words", "XY"], ["ab12", "twowords", "x"]) == {
            "images": 3,
            "words_right": 1,
            "cer": 5 / 15,  # t, the space, w; x for X and Y missing
            "words_right_any_case": 2,
            "cer_any_case": 1 / 14,
        }

    def test_nothing_read_is_all_wrong(self) -> None:
        assert score(["12", "3"], ["", ""])["cer"] == 1


class TestIntervals:
    @pytest.mark.parametrize(("right", "images"), [(0, 300), (1, 6), (150, 300), (299, 300), (127, 127)])
    def test_bounds_agree_with_bisection(self, right: int, images: int) -> None:
        low, high = interval(right, images)
        assert low == pytest.approx(bound(right, images, 0.0), abs=1e-6)
        assert high == pytest.approx(bound(right, images, 1.0), abs=1e-6)

    def test_without_images_cover_everything(self) -> None:
        assert interval(0, 0) == (0, 1)


def bound(right: int, images: int, outside: float) -> float:
    """Return Wilson's bound by bisection, between the observed share and 0 or 1: (p − share)² = 1.96² p(1−p)/n."""
    share = right / images
    inside = share
    for _ in range(60):
        middle = (inside + outside) / 2
        if (middle - share) ** 2 <= 1.96**2 * middle * (1 - middle) / images:
            inside = middle
        else:
            outside = middle
    return inside


@pytest.mark.parametrize("count", range(1, 13))
def test_median_and_worst_agree_with_counting(count: int) -> None:
    shares = [random.Random(count).random() for _ in range(count)]  # noqa: S311
    median, worst = median_and_worst(shares)
    assert sum(share < worst for share in shares) == 0
    assert worst in shares
    assert sum(share < median for share in shares) == sum(share > median for share in shares)
