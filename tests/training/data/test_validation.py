"""What `validate` finds in data before anything is trained on it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.dataset import Sample
from training.data.validation import validate_samples

STEPS = 25


@pytest.fixture
def noise(tmp_path: Path) -> list[Path]:
    """Ten different images."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.png" for index in range(10)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 255, (50, 200), dtype=np.uint8))
    return paths


def test_sound_data_has_neither_errors_nor_warnings(noise: list[Path]) -> None:
    report = validate_samples([Sample(path, "ab") for path in noise], STEPS)
    assert (report.errors, report.warnings) == ([], [])
    assert report.images == 10
    assert report.vocabulary == "ab"
    assert report.label_lengths == {2: 10}
    assert report.sizes == {(200, 50): 10}


def test_unreadable_images_are_errors(noise: list[Path], tmp_path: Path) -> None:
    noise[0].write_bytes(noise[0].read_bytes()[:100])
    (tmp_path / "text.png").write_text("not an image")
    bad = [noise[0], tmp_path / "text.png", tmp_path / "gone.png"]
    report = validate_samples([Sample(path, "a") for path in [*noise, *bad[1:]]], STEPS)
    assert len(report.errors) == 3
    assert all(any(str(path) in error for error in report.errors) for path in bad)


def test_empty_labels_are_errors(noise: list[Path]) -> None:
    report = validate_samples([Sample(noise[0], ""), Sample(noise[1], "  "), Sample(noise[2], "a")], STEPS)
    assert [error for error in report.errors if "empty" in error] == report.errors
    assert len(report.errors) == 2


@pytest.mark.parametrize(
    ("label", "needed"), [("abcde" * 5, 25), ("abcde" * 5 + "a", 26), ("a" * 13, 25), ("a" * 14, 27)]
)
def test_a_label_longer_than_the_steps_is_an_error_with_the_numbers(noise: list[Path], label: str, needed: int) -> None:
    report = validate_samples([Sample(noise[0], label)], STEPS)
    if needed <= STEPS:
        assert report.errors == []
    else:
        (error,) = report.errors
        assert f"needs {needed} output steps" in error
        assert f"has {STEPS}" in error
        assert "--width" in error


def test_rare_characters_are_a_warning(noise: list[Path]) -> None:
    labels = ["a"] * 6 + ["b"] * 4
    report = validate_samples([Sample(*pair) for pair in zip(noise, labels, strict=True)], STEPS)
    assert report.errors == []
    (warning,) = report.warnings
    assert "'b' 4" in warning
    assert "'a'" not in warning


def test_the_same_picture_with_different_labels_is_an_error(noise: list[Path]) -> None:
    samples = [Sample(noise[0], "a"), Sample(noise[0], "b"), Sample(noise[1], "a")]
    (error,) = validate_samples(samples, STEPS).errors
    assert "a, b" in error


def test_the_same_pixels_in_another_format_are_the_same_picture(noise: list[Path], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "again.webp"), cv2.imread(str(noise[0])), [cv2.IMWRITE_WEBP_QUALITY, 101])
    cv2.imwrite(str(tmp_path / "first.png"), cv2.imread(str(noise[0])))
    samples = [Sample(tmp_path / "first.png", "a"), Sample(tmp_path / "again.webp", "b")]
    assert len(validate_samples(samples, STEPS).errors) == 1


def test_the_same_picture_twice_is_a_warning(noise: list[Path]) -> None:
    samples = [Sample(path, "aaaaa") for path in [*noise, noise[0]]]
    report = validate_samples(samples, STEPS)
    assert report.errors == []
    assert "2 times" in report.warnings[0]
