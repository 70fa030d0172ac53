"""Displays, counters and plates."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.properties import examples
from training.drawing.devices import LEGEND_CHARACTERS, dot_display, drums, framed, segment_display
from training.drawing.layers import Picture
from training.drawing.texts import random_reading
from training.drawing.typefaces import Typeface

Device = Callable[[str, Typeface, int, np.random.Generator], Picture]
DEVICES: list[Device] = [segment_display, dot_display, drums]


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(DEVICES), st.text("0123456789", min_size=1, max_size=9), st.integers(16, 90), st.integers(0, 99))
def test_a_device_shows_digits_of_about_the_requested_height(
    typefaces: list[Typeface], device: Device, text: str, height: int, seed: int
) -> None:
    picture = device(text, typefaces[0], height, np.random.default_rng(seed))
    assert (picture.ndim, picture.shape[2], picture.dtype) == (3, 3, np.dtype(np.float32))
    assert 0.5 * height <= picture.shape[0] <= 4 * height
    assert picture.shape[1] >= len(text) * 4
    assert -1e-3 <= picture.min() <= picture.max() <= 255.5
    assert np.ptp(picture, axis=(0, 1)).max() > 5, "the picture is not blank"


@pytest.mark.parametrize("device", DEVICES)
def test_more_digits_make_a_device_wider(device: Device, typefaces: list[Typeface]) -> None:
    widths = [device("0" * count, typefaces[0], 40, np.random.default_rng(8)).shape[1] for count in (2, 4, 8)]
    assert widths == sorted(set(widths))


@given(st.integers(0, 2**32))
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_segment_display_shows_any_reading(typefaces: list[Typeface], seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert segment_display(random_reading(rng), typefaces[0], 30, rng).size


@pytest.mark.parametrize(("few", "many"), [("1", "7"), ("7", "3"), ("3", "8")])
def test_a_digit_with_more_segments_has_more_ink(few: str, many: str, typefaces: list[Typeface]) -> None:
    def ink(digit: str, seed: int) -> int:
        face = typefaces[0]._replace(characters="0123456789")  # no legends
        picture = segment_display(digit, face, 40, np.random.default_rng(seed))
        return int((np.abs(picture - picture[0, 0]).max(axis=2) > 20).sum())

    # A third of the displays have shadows, which grow with the ink.
    assert all(ink(few, seed) < ink(many, seed) for seed in range(20))


def test_a_point_stands_apart_from_its_digits(typefaces: list[Typeface]) -> None:
    def parts(seed: int) -> int:
        """Count what stands side by side in the lowest rows of the number."""
        face = typefaces[0]._replace(characters="0123456789.")  # no legends
        picture = segment_display("0.0", face, 16, np.random.default_rng(seed))
        difference = np.abs(picture - picture[0, 0]).max(axis=2)
        ink = difference > 0.6 * difference.max()
        lowest = int(np.flatnonzero(ink.any(axis=1))[-1])
        columns = ink[lowest - 1 : lowest + 1].any(axis=0)
        return int((np.diff(columns.astype(int), prepend=0) > 0).sum())

    assert all(parts(seed) >= 3 for seed in range(40))


def test_a_point_in_dots_is_rarely_lost(typefaces: list[Typeface]) -> None:
    def ink(text: str, face: Typeface, seed: int) -> int:
        picture = dot_display(text, face, 40, np.random.default_rng(seed))
        return int((np.abs(picture - picture[0, 0]).max(axis=2) > 60).sum())

    assert np.mean([ink("0.0", face, seed) > ink("00", face, seed) for face in typefaces for seed in range(8)]) > 0.95


def test_legends_make_some_displays_wider_and_none_higher(typefaces: list[Typeface]) -> None:
    plain = typefaces[0]._replace(characters="0123456789")
    labelled = typefaces[0]._replace(characters="".join(sorted(LEGEND_CHARACTERS)))
    widened = []
    for seed in range(40):
        without, with_them = (segment_display("8", face, 60, np.random.default_rng(seed)) for face in (plain, labelled))
        assert with_them.shape[0] == without.shape[0]
        widened.append(with_them.shape[1] - without.shape[1])
    assert min(widened) == 0
    assert max(widened) > 20


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_state_gives_the_same_picture(device: Device, typefaces: list[Typeface]) -> None:
    one, two = (device("405", typefaces[0], 40, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_frame_surrounds_the_complete_picture() -> None:
    picture = np.arange(20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    for seed in range(20):
        whole = framed(picture, np.random.default_rng(seed))
        border = (whole.shape[0] - 20) // 2
        assert border >= 1
        assert whole.shape == (20 + 2 * border, 30 + 2 * border, 3)
        np.testing.assert_array_equal(whole[border:-border, border:-border], picture)
