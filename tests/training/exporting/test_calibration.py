"""Calibrated confidences: the fitted temperature."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.decoding.ctc import CtcCodec, with_temperature
from training.data.dataset import LabelledImages
from training.exporting.calibration import TEMPERATURES, augmented_copies, fit_temperature

CODEC = CtcCodec("ab")
LABELS = ["a", "b"] * 500


def one_step_images(logit: float, part_right: float) -> NDArray[np.float64]:
    """Return images of a single output step with equal confidence, of which a fraction is read correctly."""
    rng = np.random.default_rng(0)
    classes = np.array([CODEC.encode(label)[0] for label in LABELS])
    read = np.where(rng.random(len(classes)) < part_right, classes, 1 - classes)
    logits = np.full((len(classes), 1, 3), -20.0)
    logits[:, 0, :2] = 0
    logits[np.arange(len(classes)), 0, read] = logit
    powers = np.exp(logits)
    return powers / powers.sum(axis=2, keepdims=True)


def mean_confidence(probabilities: NDArray[np.float64], temperature: float) -> float:
    return float(np.mean([one.confidence for one in CODEC.decode(with_temperature(probabilities, temperature))]))


@pytest.mark.parametrize("logit", [2.5, 4.0, 6.0], ids=lambda logit: f"logit {logit}")
def test_an_overconfident_network_is_calibrated(logit: float) -> None:
    probabilities = one_step_images(logit, part_right=0.9)
    assert mean_confidence(probabilities, 1) > 0.92
    assert mean_confidence(probabilities, fit_temperature(CODEC, probabilities, LABELS, len(LABELS))) == pytest.approx(
        0.9, abs=0.01
    )


def test_an_underconfident_network_becomes_more_confident() -> None:
    probabilities = one_step_images(1.5, part_right=0.95)
    temperature = fit_temperature(CODEC, probabilities, LABELS, len(LABELS))
    assert temperature < 1
    assert mean_confidence(probabilities, temperature) == pytest.approx(0.95, abs=0.01)


def test_few_correct_readings_hardly_change_the_temperature() -> None:
    probabilities = one_step_images(4.0, part_right=1.0)
    few, many = (fit_temperature(CODEC, probabilities[:n], LABELS[:n], n) for n in (8, 800))
    assert few == pytest.approx(1, abs=0.2)
    assert many < few


def test_copies_of_few_images_count_no_more_than_these() -> None:
    probabilities = one_step_images(8.0, part_right=0.9)
    copies, images = (fit_temperature(CODEC, probabilities, LABELS, originals) for originals in (10, 1000))
    assert 1 < copies < images


def test_it_stays_within_bounds_if_all_readings_are_wrong() -> None:
    probabilities = one_step_images(6.0, part_right=0.0)
    assert fit_temperature(CODEC, probabilities, LABELS, len(LABELS)) == TEMPERATURES[-1]


def test_held_out_images_give_about_a_thousand_augmented_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.exporting.calibration.READINGS", 1_000)
    images = np.random.default_rng(0).integers(0, 256, (7, 20, 60, 1), np.uint8)
    copies = augmented_copies(LabelledImages(images, list("abcdefg")), seed=1)
    assert copies.images.shape == (994, 20, 60, 1)
    assert copies.labels == list("abcdefg") * 142
    assert len({image.tobytes() for image in copies.images}) > 900
    again = augmented_copies(LabelledImages(images, list("abcdefg")), seed=1)
    np.testing.assert_array_equal(copies.images, again.images)
