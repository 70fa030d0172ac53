"""Images without text."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.kinds.no_text import WITHOUT_TEXT, Draw, draw_blank, draw_noise, draw_without_text
from training.data.dataset import Sample, read_image

each = pytest.mark.parametrize("draw", WITHOUT_TEXT.values(), ids=WITHOUT_TEXT)


@each
def test_have_the_sizes_of_the_samples_and_are_reproducible(draw: Draw, drawn_kinds: Path, tmp_path: Path) -> None:
    like = [Sample(path, path.stem) for path in sorted((drawn_kinds / "digits" / "images").iterdir())]
    first = draw_without_text(draw, like, tmp_path / "a", 3)
    again = draw_without_text(draw, like, tmp_path / "b", 3)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert len({path.read_bytes() for path in first}) == 3
    assert [read_image(path).shape[:2] for path in first] == [read_image(one.path).shape[:2] for one in like[:3]]


@each
@pytest.mark.parametrize("size", [(1, 1), (51, 23), (200, 60)])
def test_have_three_channels_of_any_size(draw: Draw, size: tuple[int, int]) -> None:
    pixels = draw(*size, np.random.default_rng(0))
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.dtype == np.uint8


def test_blank_ones_have_at_most_a_horizontal_gradient() -> None:
    for seed in range(20):
        pixels = draw_blank(60, 20, np.random.default_rng(seed)).astype(int)
        assert (pixels == pixels[0]).all()
        steps = np.diff(pixels[0], axis=0)
        assert ((steps >= 0).all(axis=0) | (steps <= 0).all(axis=0)).all()


def test_noise_is_everywhere() -> None:
    for seed in range(20):
        pixels = draw_noise(60, 20, np.random.default_rng(seed)).astype(float)
        assert min(part.std() for part in np.array_split(pixels, 4, axis=1)) > 5
