"""Reading images in the background."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inference.models.model import ModelError
from tests.training.labelling.conftest import write_image
from tests.waiting import GENEROUS_SECONDS
from training.labelling.guesses import Expected, Guesses
from training.labelling.images import find_images


@pytest.fixture
def drawn(tmp_path: Path, samples: dict[str, bytes]) -> Path:
    """Return a folder with the samples, named by numbers."""
    for number, content in enumerate(samples.values()):
        (tmp_path / f"{number}.png").write_bytes(content)
    return tmp_path


@pytest.fixture
def guesses(drawn: Path) -> Iterator[Guesses]:
    """Return guesses of all images but the second."""
    images = find_images(drawn)
    guesses = Guesses(images, lambda: [number for number in range(len(images)) if number != 1])
    yield guesses
    guesses.close()


def test_without_a_model_there_are_none(guesses: Guesses) -> None:
    guesses.wait(GENEROUS_SECONDS)
    assert guesses.model is None
    assert not guesses.is_reading
    assert guesses.all == {}


def test_a_model_reads_the_waiting_images(guesses: Guesses, shipped_model: Path, samples: dict[str, bytes]) -> None:
    guesses.read_with(shipped_model)
    guesses.wait(GENEROUS_SECONDS)
    assert not guesses.is_reading
    assert guesses.model == f"captcha/{shipped_model.name}"
    expected = {number: label for number, label in enumerate(samples) if number != 1}
    assert {number: guess.text for number, guess in guesses.all.items()} == expected
    for guess in guesses.all.values():
        assert "".join(one.character for one in guess.characters) == guess.text
        assert all(0 <= one.confidence <= 1 for one in guess.characters)
        assert guess.confidence > 0.9


def test_unreadable_images_do_not_stop_the_others(drawn: Path, shipped_model: Path, samples: dict[str, bytes]) -> None:
    (drawn / "0.png").write_text("no image")
    write_image(drawn / "00.png")
    images = find_images(drawn)
    (drawn / "00.png").unlink()
    guesses = Guesses(images, lambda: range(len(images)))
    guesses.read_with(shipped_model)
    guesses.wait(GENEROUS_SECONDS)
    assert [guesses.all[number].text for number in sorted(guesses.all)] == list(samples)[1:]


def test_another_model_takes_over_with_its_own_name(guesses: Guesses, shipped_model: Path) -> None:
    guesses.read_with(shipped_model)
    guesses.read_with(shipped_model, "model of 30 labels")
    guesses.wait(GENEROUS_SECONDS)
    assert guesses.model == "model of 30 labels"
    assert {guess.model for guess in guesses.all.values()} == {"model of 30 labels"}


def test_only_expected_texts_are_guessed(guesses: Guesses, shipped_model: Path) -> None:
    guesses.read_with(shipped_model)
    guesses.expect(Expected(4, "2345678"))
    guesses.wait(GENEROUS_SECONDS)
    assert len(guesses.all) == 3
    for guess in guesses.all.values():
        assert len(guess.text) == 4
        assert set(guess.text) <= set("2345678")


def test_expectations_apply_to_the_next_model(guesses: Guesses, shipped_model: Path, samples: dict[str, bytes]) -> None:
    guesses.expect(Expected(3))
    guesses.read_with(shipped_model)
    guesses.wait(GENEROUS_SECONDS)
    assert {len(guess.text) for guess in guesses.all.values()} == {3}
    guesses.expect(Expected())
    guesses.wait(GENEROUS_SECONDS)
    assert {guess.text for guess in guesses.all.values()} < set(samples)


@pytest.mark.parametrize("expected", [Expected(charset="漢字"), Expected(length=500)])
def test_expectations_that_the_model_cannot_satisfy_are_ignored(
    guesses: Guesses, shipped_model: Path, samples: dict[str, bytes], expected: Expected
) -> None:
    guesses.expect(expected)
    guesses.read_with(shipped_model)
    guesses.wait(GENEROUS_SECONDS)
    assert {guess.text for guess in guesses.all.values()} < set(samples)


def test_an_unusable_model_changes_nothing(guesses: Guesses, shipped_model: Path, drawn: Path) -> None:
    guesses.read_with(shipped_model)
    with pytest.raises(ModelError, match=r"configs\.yaml"):
        guesses.read_with(drawn)
    guesses.wait(GENEROUS_SECONDS)
    assert guesses.model == f"captcha/{shipped_model.name}"
    assert len(guesses.all) == 3
