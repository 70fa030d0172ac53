"""Batches of drawn pictures from worker processes."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from training.drawing.stream import CHUNK, COLUMNS_A_STEP, NARROWEST, WIDEST, WIDTH_STEP, Drawn, drawing_pool
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import Typeface

HEIGHT, SIZE = 32, 64


@pytest.fixture(scope="module")
def chunks(typefaces: list[Typeface]) -> Iterator[list[list[Drawn]]]:
    """Return chunks 1 and 400, and chunk 1 again."""
    with drawing_pool(typefaces, height=HEIGHT, size=SIZE, seed=3, processes=2) as drawing:
        yield [list(drawing.draw(range(number, number + 1))) for number in (1, 400, 1)]


def test_a_chunk_is_split_into_batches_of_one_size(chunks: list[list[Drawn]]) -> None:
    for chunk in chunks:
        assert len(chunk) == CHUNK // SIZE
        for images, labels in chunk:
            assert images.dtype == np.uint8
            assert images.shape == (SIZE, HEIGHT, images.shape[2], 3)
            assert images.shape[2] % WIDTH_STEP == 0
            assert NARROWEST <= images.shape[2] <= WIDEST
            assert len(labels) == SIZE
            assert set("".join(labels)) <= set(ALPHABET)


def test_every_label_has_the_steps_that_ctc_needs(chunks: list[list[Drawn]]) -> None:
    for images, labels in itertools.chain.from_iterable(chunks):
        for label in labels:
            repeated = sum(a == b for a, b in itertools.pairwise(label))
            assert len(label) + repeated <= images.shape[2] // COLUMNS_A_STEP


def test_similar_shapes_share_a_batch_and_batches_are_not_sorted_by_width(chunks: list[list[Drawn]]) -> None:
    widths = [batch.images.shape[2] for batch in chunks[0]]
    assert len(set(widths)) > 3
    assert widths != sorted(widths)


def test_a_chunk_depends_only_on_its_number(chunks: list[list[Drawn]]) -> None:
    once, other, again = chunks
    assert [batch.labels for batch in once] == [batch.labels for batch in again]
    assert [batch.labels for batch in once] != [batch.labels for batch in other]
    for one, two in zip(once, again, strict=True):
        np.testing.assert_array_equal(one.images, two.images)
