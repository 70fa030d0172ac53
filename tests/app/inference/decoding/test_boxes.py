from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding.boxes import Box, character_boxes
from app.inference.decoding.ctc import Span


def spans_at(*runs: tuple[int, int]) -> list[Span]:
    return [Span("a", 1.0, first, last) for first, last in runs]


@st.composite
def alignments(draw: st.DrawFn, min_spans: int = 1) -> tuple[list[Span], int]:
    """Generate runs of steps in order, and the number of steps."""
    gaps_and_lengths = st.tuples(st.integers(0, 9), st.integers(1, 5))
    runs, step = [], 0
    for gap, length in draw(st.lists(gaps_and_lengths, min_size=min_spans, max_size=12)):
        runs.append((step + gap, step + gap + length - 1))
        step += gap + length
    return spans_at(*runs), step + draw(st.integers(0, 9))


SIDES = st.integers(1, 2000)


@given(alignments(min_spans=0), SIDES, SIDES)
def test_every_character_has_a_box_with_pixels_inside_the_image(
    alignment: tuple[list[Span], int], width: int, height: int
) -> None:
    spans, steps = alignment
    boxes = character_boxes(spans, steps=steps or 1, width=width, height=height)
    assert len(boxes) == len(spans)
    for box in boxes:
        assert 0 <= box.left < box.right <= width
        assert (box.top, box.bottom) == (0, height)
        assert {type(side) for side in (box.left, box.top, box.right, box.bottom)} == {int}


@given(alignments(min_spans=2), SIDES, SIDES)
def test_boxes_follow_each_other_from_left_to_right(alignment: tuple[list[Span], int], width: int, height: int) -> None:
    spans, steps = alignment
    boxes = character_boxes(spans, steps=steps, width=width, height=height)
    for box, following in pairwise(boxes):
        assert box.left <= following.left
        assert box.right <= following.right
        # Boxes overlap by one pixel if steps are narrower than pixels.
        assert box.right <= following.left + 1


@given(alignments(), SIDES)
def test_a_box_contains_the_middle_of_its_run(alignment: tuple[list[Span], int], height: int) -> None:
    spans, steps = alignment
    boxes = character_boxes(spans, steps=steps, width=4 * steps, height=height)
    for span, box in zip(spans, boxes, strict=True):
        middle = 4 * (span.first_step + span.last_step + 1) / 2
        assert box.left <= middle <= box.right


@given(alignments(), st.integers(2, 9), st.integers(8, 300))
def test_boxes_scale_with_the_image(alignment: tuple[list[Span], int], factor: int, height: int) -> None:
    spans, steps = alignment
    width = 8 * steps
    small = character_boxes(spans, steps=steps, width=width, height=height)
    large = character_boxes(spans, steps=steps, width=factor * width, height=factor * height)
    for box, scaled in zip(small, large, strict=True):
        # Half a pixel of rounding in the small image is half a factor in the large one.
        assert scaled.left == pytest.approx(factor * box.left, abs=factor / 2 + 0.5)
        assert scaled.right == pytest.approx(factor * box.right, abs=factor / 2 + 0.5)


def test_boxes_of_neighbours_meet_midway() -> None:
    spans = spans_at((3, 4), (8, 9), (13, 14))
    assert character_boxes(spans, steps=25, width=200, height=50) == [
        Box(12, 0, 52, 50),
        Box(52, 0, 92, 50),
        Box(92, 0, 132, 50),
    ]


def test_a_wide_gap_does_not_stretch_the_boxes_beside_it() -> None:
    spans = spans_at((1, 1), (3, 3), (5, 5), (35, 35), (37, 37), (39, 39))
    boxes = character_boxes(spans, steps=50, width=500, height=40)
    widths = [box.right - box.left for box in boxes]
    # The median distance is twenty pixels, so a box extends at most fifteen next to the gap.
    assert widths == [20, 20, 25, 25, 20, 20]


def test_the_first_and_last_box_end_at_the_edges_of_the_image() -> None:
    boxes = character_boxes(spans_at((0, 0), (4, 4), (9, 9)), steps=10, width=100, height=30)
    assert boxes[0].left == 0
    assert boxes[-1].right == 100


def test_a_single_character_is_half_as_wide_as_the_image_is_high() -> None:
    assert character_boxes(spans_at((10, 10)), steps=21, width=210, height=40) == [Box(95, 0, 115, 40)]


def test_a_single_character_has_half_of_a_narrow_image() -> None:
    assert character_boxes(spans_at((4, 4)), steps=9, width=20, height=100) == [Box(5, 0, 15, 100)]


def test_no_characters_have_no_boxes() -> None:
    assert character_boxes([], steps=25, width=200, height=50) == []
