from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.drawing.draw import CAPTCHA_ALPHABET, draw_captcha, draw_folder

COMMITTED_SAMPLES = Path(__file__).parents[3] / "samples"
SAMPLES = {"4gm8x": 1, "7ydp3": 7, "b5wn6": 27, "ef2ec": 4}
"""Texts and seeds of the samples."""


def read_grey(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)


def test_image_is_grey_and_has_the_requested_size() -> None:
    assert draw_captcha("24pew", 1).shape == (50, 200)
    image = draw_captcha("24pew", 1, width=320, height=64)
    assert image.shape == (64, 320)
    assert image.dtype == np.uint8
    assert image.min() < 60
    assert image.max() > 200


def test_same_text_and_seed_give_the_same_image() -> None:
    np.testing.assert_array_equal(draw_captcha("7gmf3", 5), draw_captcha("7gmf3", 5))


def test_seed_and_text_change_the_image() -> None:
    image = draw_captcha("7gmf3", 5).astype(int)
    assert np.abs(image - draw_captcha("7gmf3", 6)).mean() > 1
    assert np.abs(image - draw_captcha("8gmf3", 5)).mean() > 1


@pytest.mark.parametrize("text", ["24pew", "wwwww", "f2f2f", "1il|."])
def test_text_is_dark_on_light(text: str) -> None:
    image = draw_captcha(text, 3)
    assert np.median(image) > 150
    assert 0.01 < (image < 100).mean() < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_every_letter_leaves_ink_inside_the_image(seed: int) -> None:
    ink = draw_captcha("bd8gm", seed) < 100
    # A column with this much ink belongs to a letter, not to a line.
    columns = np.flatnonzero(ink[12:45].sum(axis=0) > 8)
    first, last = columns[0], columns[-1]
    assert first > 15
    assert last < 195
    assert last - first > 90
    for fifth in np.array_split(ink[:, first : last + 1], 5, axis=1):
        assert fifth.mean() > 0.12


def test_captchas_have_lines_left_and_right_of_the_text() -> None:
    image = draw_captcha("mmmmm", 2, width=400)
    assert (image[:, 40:60].min(axis=0) < 120).all()
    assert (image[:, 300:355].min(axis=0) < 120).all()
    assert (image[:, 370:] > 200).all()


def test_captcha_background_brightens_to_the_right() -> None:
    image = draw_captcha("24pew", 4)
    assert 185 < image[:, :10].mean() < 200
    assert 240 < image[:, -10:].mean() < 255


def test_too_long_a_text_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"needs \d+ pixels, and the image is 200 wide"):
        draw_captcha("m" * 20, 1)
    with pytest.raises(ValueError, match="the image is 60 wide"):
        draw_captcha("24pew", 1, width=60)


@pytest.mark.parametrize("shape", [(16, 64), (32, 128), (100, 400), (50, 260)])
def test_other_sizes_show_the_same_text(shape: tuple[int, int]) -> None:
    image = draw_captcha("24pew", 1, width=shape[1], height=shape[0])
    assert image.shape == shape
    assert 0.1 < (image < 100).mean() < 0.3


def test_folder_has_distinct_labels_of_the_alphabet(tmp_path: Path) -> None:
    paths = draw_folder(tmp_path / "new" / "folder", 30, seed=1)
    assert sorted(paths) == sorted((tmp_path / "new" / "folder").iterdir())
    assert len({path.name for path in paths}) == 30
    for path in paths:
        assert path.suffix == ".png"
        assert len(path.stem) == 5
        assert set(path.stem) <= set(CAPTCHA_ALPHABET)
        image = read_grey(path)
        assert image.shape == (50, 200)
        assert image.dtype == np.uint8


def test_folder_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    first, again, other = (draw_folder(tmp_path / name, 5, seed=seed) for name, seed in [("a", 3), ("b", 3), ("c", 4)])
    assert [path.name for path in first] == [path.name for path in again]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert [path.name for path in first] != [path.name for path in other]


@pytest.mark.parametrize(("text", "seed"), SAMPLES.items())
def test_samples_equal_the_committed_ones(text: str, seed: int) -> None:
    committed = COMMITTED_SAMPLES / f"{text}.png"
    assert committed.stat().st_size < 5000
    # Other versions of the libraries may round letters and JPEG blocks slightly differently.
    difference = draw_captcha(text, seed).astype(int) - read_grey(committed)
    assert np.abs(difference).mean() < 4


def test_samples_show_every_character() -> None:
    assert {path.stem for path in COMMITTED_SAMPLES.glob("*.png")} == set(SAMPLES)
    assert set("".join(SAMPLES)) == set(CAPTCHA_ALPHABET)
