"""The images that the shipped weights are trained on."""

import numpy as np
import pytest

from training.drawing.styles import STYLED_ALPHABET, draw_images, draw_styled, styled_text


def some(count: int) -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    texts = [styled_text(rng) for _ in range(count)]
    return [(text, draw_styled(text, rng)) for text in texts]


def test_texts_have_two_to_eight_letters_and_digits() -> None:
    texts = [text for text, _ in some(300)]
    assert {len(text) for text in texts} == set(range(2, 9))
    assert set("".join(texts)) == set(STYLED_ALPHABET)


def test_images_are_grey_and_of_one_size() -> None:
    for _, image in some(60):
        assert image.shape == (50, 200)
        assert image.dtype == np.uint8


def test_there_is_always_something_to_read() -> None:
    for text, image in some(200):
        assert np.ptp(image.astype(int)) > 40, text


def test_light_and_dark_backgrounds_occur() -> None:
    backgrounds = [np.median(image) for _, image in some(200)]
    assert min(backgrounds) < 80
    assert max(backgrounds) > 200


@pytest.mark.parametrize("character", STYLED_ALPHABET)
def test_every_character_has_a_shape_of_its_own(character: str) -> None:
    neighbour = STYLED_ALPHABET[STYLED_ALPHABET.index(character) - 1]
    for seed in range(3):
        drawn, other = (draw_styled(text, np.random.default_rng(seed)) for text in (character, neighbour))
        assert (drawn != other).any()


def test_the_same_seed_gives_the_same_images_and_another_others() -> None:
    first, again, other = draw_images(40, seed=3), draw_images(40, seed=3), draw_images(40, seed=4)
    assert first.labels == again.labels
    np.testing.assert_array_equal(first.images, again.images)
    assert first.labels != other.labels
    assert first.images.shape == (40, 50, 200, 1)


def test_images_do_not_depend_on_how_the_work_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.drawing.styles._CHUNK", 16)
    many = draw_images(40, seed=3)
    monkeypatch.setattr("training.drawing.styles.available_cpus", lambda: 1)
    np.testing.assert_array_equal(many.images, draw_images(40, seed=3).images)
    assert len(set(many.labels)) > 30
