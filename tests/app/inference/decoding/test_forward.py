"""Probabilities of many texts at once compared with one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.decoding import forward
from app.inference.decoding.ctc import MAX_SCALAR_COST, NEGLIGIBLE, CtcCodec
from app.inference.decoding.forward import probabilities_of_all, probabilities_of_labels, probability_of_label
from tests.properties import examples

CLASSES, BLANK = 5, 2
LABELS = st.lists(st.lists(st.sampled_from([0, 1, 3, 4]), max_size=9), min_size=1, max_size=6)


def some_images(seed: int, images: int, steps: int) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).dirichlet(np.full(CLASSES, 0.4), size=(images, steps)))


@examples(100)
@given(LABELS, st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from([np.float32, np.float64]))
def test_probabilities_together_equal_those_one_by_one(
    labels: list[list[int]], seed: int, steps: int, dtype: type[np.floating]
) -> None:
    images = [image.astype(dtype) for image in some_images(seed, len(labels), steps)]
    together = probabilities_of_labels(labels, images, BLANK)
    for label, image, found in zip(labels, images, together, strict=True):
        columns = dict(enumerate(image.T.tolist()))
        assert found == probability_of_label(label, columns, BLANK)


@examples(50)
@given(st.lists(st.lists(st.sampled_from([0, 1, 3, 4]), min_size=1, max_size=9), min_size=1), st.integers(0, 2**32 - 1))
def test_probabilities_of_all_texts_in_all_images_equal_those_one_by_one(labels: list[list[int]], seed: int) -> None:
    images = np.stack(some_images(seed, 4, 12))
    found = probabilities_of_all(labels, images, BLANK)
    for row, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(row, probabilities_of_labels(labels, [image] * len(labels), BLANK))


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [[0, 1, 3] * 3, [], [4, 4], [1]] * 3
    images = some_images(1, len(labels), 12)
    together = probabilities_of_labels(labels, images, BLANK)
    of_all = probabilities_of_all([[0], [1, 3]], np.stack(images), BLANK)
    monkeypatch.setattr(forward, "MAX_PROBABILITIES", 250)
    np.testing.assert_array_equal(probabilities_of_all([[0], [1, 3]], np.stack(images), BLANK), of_all)
    np.testing.assert_array_equal(probabilities_of_labels(labels, images, BLANK), together)


@examples(20)
@given(st.integers(0, 2**32 - 1), st.integers(2 * MAX_SCALAR_COST, 4 * MAX_SCALAR_COST))
def test_long_uncertain_texts_have_their_probabilities(seed: int, steps: int) -> None:
    codec = CtcCodec("abcdefgh")
    logits = np.random.default_rng(seed).normal(size=(1, steps, codec.classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    (decoded,) = codec.decode(probabilities)
    assert len(decoded.text) > MAX_SCALAR_COST
    columns = dict(enumerate(probabilities[0].T.tolist()))
    exact = probability_of_label(codec.encode(decoded.text), columns, codec.blank_index)
    assert decoded.confidence == pytest.approx(exact, rel=1e-9, abs=NEGLIGIBLE)
