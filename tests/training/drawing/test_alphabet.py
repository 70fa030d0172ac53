"""Drawn texts that resemble some labels."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.inference.decoding.shapes import shape_of
from tests.properties import examples
from training.drawing import typefaces as drawn_typefaces
from training.drawing.alphabet import draw_like


@pytest.fixture(autouse=True)
def no_typefaces_but_matplotlibs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_typefaces, "SYSTEM_FOLDERS", ())


@examples(5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.text("07Kx-é", min_size=1, max_size=6), min_size=1, max_size=5), st.integers(0, 99))
def test_texts_have_the_characters_and_shapes_of_the_labels(labels: list[str], seed: int) -> None:
    pictures = draw_like(labels, {}, 8, seed)
    assert len(pictures) == 8
    for image, text in pictures:
        assert (image.dtype, image.ndim) == (np.dtype(np.uint8), 3)
        assert set(text) <= set("".join(labels))
        assert shape_of(text) in set(map(shape_of, labels))


def test_typefaces_without_all_characters_are_skipped() -> None:
    assert [text for _, text in draw_like(["-"], {}, 2, seed=0)] == ["-", "-"]


def test_empty_labels_are_ignored() -> None:
    assert {text for _, text in draw_like(["", "7", ""], {}, 5, seed=0)} == {"7"}
    assert draw_like(["", ""], {}, 5, seed=0) == []


def test_frequent_characters_are_drawn_often() -> None:
    counts = Counter("".join(text for _, text in draw_like(["aaab", "aaaa"] * 10, {}, 60, seed=0)))
    assert counts["a"] > 3 * counts["b"] > 0


def test_characters_that_are_rare_by_chance_are_drawn_as_often_as_others() -> None:
    counts = Counter("".join(text for _, text in draw_like(["abc", "bcd", "bce", "abd"], {}, 100, seed=0)))
    assert counts["e"] > counts["b"] / 2


def test_unseen_characters_are_drawn_as_often_as_expected() -> None:
    counts = Counter("".join(text for _, text in draw_like(["ab", "7"] * 20, {"c": 1.0, "9": 10.0}, 60, seed=0)))
    assert counts["a"] > 5 * counts["c"]
    assert counts["7"] > counts["9"] > 0


def test_the_same_seed_gives_the_same_pictures() -> None:
    one, two = (draw_like(["4711", "12"], {}, 5, seed=4) for _ in range(2))
    assert [text for _, text in one] == [text for _, text in two]
    for (picture, _), (again, _) in zip(one, two, strict=True):
        np.testing.assert_array_equal(picture, again)


def test_nothing_is_drawn_if_no_typeface_has_the_characters() -> None:
    assert draw_like(["\U00012000"], {}, 5, seed=0) == []
