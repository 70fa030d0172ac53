"""Unsure images are read again in zoomed copies, which vote."""

from pathlib import Path

import numpy as np
import pytest

from app.inference.decoding.beam import Search
from app.inference.decoding.constraints import make_constraint
from app.inference.decoding.ctc import Decoded
from app.inference.decoding.vote import vote
from app.inference.images import Pixels, zoom
from app.inference.models.model import MAX_STEPS_AGAIN, MAX_UNSURE, MIN_UNSURE, ZOOMS, ImageToTextModel
from app.shared.stopwatch import Stopwatch
from training.drawing.draw import draw_captcha

TEXTS = [f"{number:05}" for number in range(10_007, 99_999, 1_777)]


@pytest.fixture(scope="module")
def model(general_model: Path) -> ImageToTextModel:
    return ImageToTextModel(general_model)


@pytest.fixture(scope="module")
def noisy() -> list[Pixels]:
    """Draw images that the model reads with doubts, of several widths."""
    rng = np.random.default_rng(0)
    drawn = [draw_captcha(text, seed, width=200 - 16 * (seed % 3)) for seed, text in enumerate(TEXTS)]
    return [np.clip(image + rng.normal(0, 110, image.shape), 0, 255).astype(np.uint8) for image in drawn]


def read_once(model: ImageToTextModel, image: Pixels) -> Decoded:
    return model.codec.decode(model.probabilities([image]), model.configs.calibration.temperature)[0]


def is_unsure(reading: Decoded) -> bool:
    return MIN_UNSURE <= reading.confidence < MAX_UNSURE


def read_one_by_one(model: ImageToTextModel, image: Pixels) -> Decoded:
    """Read as many copies as the vote needs."""
    readings = [read_once(model, image)]
    fitted = np.asarray(model.prepare([image])[0], np.uint8)
    for factor in ZOOMS if is_unsure(readings[0]) else ():
        texts = [reading.text for reading in readings]
        if max(map(texts.count, texts)) < 3:
            readings.append(read_once(model, zoom(fitted, factor)))
    return vote(readings)


def right(texts: list[str]) -> int:
    return sum(text == wanted for text, wanted in zip(texts, TEXTS, strict=True))


def test_copies_of_an_unsure_image_vote(model: ImageToTextModel, noisy: list[Pixels]) -> None:
    readings, expected = model.predict(noisy), [read_one_by_one(model, image) for image in noisy]
    assert [reading.text for reading in readings] == [one.text for one in expected]
    np.testing.assert_allclose([r.confidence for r in readings], [one.confidence for one in expected], atol=1e-3)


def test_copies_read_more_than_one_image(model: ImageToTextModel, noisy: list[Pixels]) -> None:
    once = right([read_once(model, image).text for image in noisy])
    again = right([reading.text for reading in model.predict(noisy)])
    assert once + 2 <= again < len(TEXTS)


def test_characters_are_those_of_the_text_from_left_to_right(model: ImageToTextModel, noisy: list[Pixels]) -> None:
    for image, reading in zip(noisy, model.predict(noisy), strict=True):
        assert "".join(character.character for character in reading.characters) == reading.text
        boxes = [character.box for character in reading.characters if character.box]
        assert [box.left for box in boxes] == sorted(box.left for box in boxes)
        assert all(0 <= box.left < box.right <= image.shape[1] for box in boxes)


def test_searches_vote_too(model: ImageToTextModel, noisy: list[Pixels]) -> None:
    constraint = make_constraint(model.codec, model.steps, length=5, charset="0123456789", pattern=None)
    readings = model.predict(noisy, Search(constraint, 3))
    for reading in readings:
        assert (reading.text, reading.confidence) == (reading.alternatives[0].text, reading.alternatives[0].confidence)
        assert sum(other.confidence for other in reading.alternatives) <= 1 + 1e-9
    assert right([reading.text for reading in readings]) >= right([reading.text for reading in model.predict(noisy)])


def stages(model: ImageToTextModel, image: Pixels) -> list[str]:
    watch = Stopwatch()
    model.predict([image], watch=watch)
    return [stage for stage, *_ in watch.stages]


def test_sure_and_illegible_images_are_read_once(model: ImageToTextModel, noisy: list[Pixels]) -> None:
    sure = next(image for image in noisy if read_once(model, image).confidence >= MAX_UNSURE)
    unsure = next(image for image in noisy if is_unsure(read_once(model, image)))
    illegible = next(image for image in noisy if read_once(model, image).confidence < MIN_UNSURE)
    assert stages(model, illegible) == ["decode", "run", "text"]
    assert stages(model, sure) == ["decode", "run", "text"]
    assert stages(model, unsure) == ["decode", "run", "reread", "text"]


def test_images_with_very_many_steps_are_read_once(shipped_model: Path, noisy: list[Pixels]) -> None:
    model = ImageToTextModel(shipped_model)
    unsure = next(image for image in noisy if is_unsure(read_once(model, image)))
    assert "reread" in stages(model, unsure)
    model.steps = MAX_STEPS_AGAIN + 1
    assert "reread" not in stages(model, unsure)
