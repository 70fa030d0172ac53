"""Input width of images that keep their proportions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.models.input_width import MULTIPLE, NARROWEST, proportional_width

SIDES = st.integers(1, 10_000)
WIDEST = st.integers(NARROWEST // MULTIPLE, 100).map(lambda columns: columns * MULTIPLE)


@given(SIDES, SIDES, st.integers(8, 100), WIDEST)
def test_is_within_its_bounds_and_a_multiple(width: int, height: int, input_height: int, widest: int) -> None:
    columns = proportional_width(width, height, input_height=input_height, widest=widest)
    assert NARROWEST <= columns <= widest
    assert columns % MULTIPLE == 0


@given(SIDES, SIDES, st.integers(8, 100), WIDEST)
def test_differs_from_the_exact_width_by_half_a_multiple_at_most(
    width: int, height: int, input_height: int, widest: int
) -> None:
    own = width * input_height / height
    columns = proportional_width(width, height, input_height=input_height, widest=widest)
    assert abs(columns - min(max(own, NARROWEST), widest)) <= MULTIPLE / 2


@given(SIDES, SIDES, st.integers(1, 500), WIDEST)
def test_grows_with_the_image(width: int, height: int, more: int, widest: int) -> None:
    one, wider = (proportional_width(w, height, input_height=48, widest=widest) for w in (width, width + more))
    assert one <= wider


@pytest.mark.parametrize(
    ("width", "height", "columns"), [(200, 50, 192), (100, 24, 200), (10, 100, NARROWEST), (5000, 10, 480)]
)
def test_of_some_images(width: int, height: int, columns: int) -> None:
    assert proportional_width(width, height, input_height=48, widest=480) == columns
