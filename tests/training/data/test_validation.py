"""Findings of `validate` in data before training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.dataset import Sample
from training.data.validation import DataReport, Finding, validate_samples

STEPS = 25
LABELS = ["ab", "ba"] * 10


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return twenty different images."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("noise")
    paths = [folder / f"{index}.png" for index in range(20)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 255, (50, 200), dtype=np.uint8))
    return paths


@pytest.fixture
def sound(noise: list[Path]) -> list[Sample]:
    """Return twenty images with two labels."""
    return [Sample(path, label) for path, label in zip(noise, LABELS, strict=True)]


def labelled(noise: list[Path], labels: Sequence[str]) -> DataReport:
    return validate_samples([Sample(path, label) for path, label in zip(noise, labels, strict=False)], STEPS)


def only(findings: Sequence[Finding]) -> str:
    (finding,) = findings
    return str(finding)


def test_valid_data_has_neither_errors_nor_warnings(sound: list[Sample]) -> None:
    report = validate_samples(sound, STEPS)
    assert (report.errors, report.warnings) == ([], [])
    assert report.images == 20
    assert report.vocabulary == "ab"
    assert report.label_lengths == {2: 20}
    assert report.sizes == {(200, 50): 20}


def test_equal_findings_are_merged_and_list_some_files(sound: list[Sample], tmp_path: Path) -> None:
    bad = [tmp_path / f"{index}.png" for index in range(120)]
    for path in bad:
        path.write_text("not an image")
    report = validate_samples([*sound, *(Sample(path, "ab") for path in bad)], STEPS)
    error = only(report.errors)
    assert error.startswith("120 images cannot be read (")
    assert str(bad[0]) in error
    assert "and 115 more" in error
    assert len(report.errors[0].images) == 120


def test_unreadable_images_are_errors_grouped_by_reason(sound: list[Sample], tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(sound[0].path.read_bytes()[:100])
    (tmp_path / "text.png").write_text("not an image")
    bad = [cut, tmp_path / "text.png", tmp_path / "gone.png"]
    report = validate_samples([*sound, *(Sample(path, "ab") for path in bad)], STEPS)
    assert len(report.errors) == 3
    assert all(any(str(path) in str(error) for error in report.errors) for path in bad)


class TestLabels:
    def test_that_are_empty_are_errors(self, noise: list[Path]) -> None:
        assert only(labelled(noise, ["", "", *LABELS[2:]]).errors).startswith("2 labels are empty")

    def test_of_two_lines_are_errors(self, noise: list[Path]) -> None:
        error = only(labelled(noise, ["a\nb", *LABELS[1:]]).errors)
        assert "U+000A" in error
        assert "one line of text" in error

    @pytest.mark.parametrize(
        ("label", "needed"), [("abcde" * 5, 25), ("abcde" * 5 + "a", 26), ("a" * 13, 25), ("a" * 14, 27)]
    )
    def test_longer_than_the_steps_are_errors_with_the_numbers(
        self, noise: list[Path], label: str, needed: int
    ) -> None:
        report = labelled(noise, [label, *LABELS[1:]])
        if needed <= STEPS:
            assert report.errors == []
        else:
            error = only(report.errors)
            assert f"needs {needed} output steps" in error
            assert f"has {STEPS}" in error
            assert "--width" in error

    def test_that_are_all_the_same_are_an_error(self, noise: list[Path]) -> None:
        assert "all 4 images have the same label 'aaaaa'" in only(labelled(noise, ["aaaaa"] * 4).errors)

    def test_that_are_mostly_the_same_are_a_warning(self, noise: list[Path]) -> None:
        report = labelled(noise, ["ab"] * 15 + ["ba"] * 5)
        assert report.errors == []
        assert report.warnings[0].certainty == "possible"
        assert "15 of 20 images have the same label 'ab' (possible)" in only(report.warnings)

    def test_of_one_image_are_an_error(self, noise: list[Path]) -> None:
        assert "only one labelled image" in only(labelled(noise, ["ab"]).errors)

    def test_in_small_numbers_are_a_warning(self, noise: list[Path]) -> None:
        report = labelled(noise, ["aaaaab", "bbbbba"])
        assert report.errors == []
        assert "only 2 labelled images" in only(report.warnings)

    def test_with_rare_characters_are_a_warning(self, noise: list[Path]) -> None:
        report = labelled(noise, [*LABELS[:16], *["abc"] * 4])
        assert report.errors == []
        warning = only(report.warnings)
        assert "'c' 4" in warning
        assert "'a'" not in warning

    def test_from_right_to_left_are_valid_unless_another_text_looks_the_same(self, noise: list[Path]) -> None:
        assert labelled(noise, ["\u05d0\u05d112", "12\u05d1\u05d0"] * 10).warnings == []
        report = labelled(noise, ["abc \u05d0", "abc \u05d0\u05d0"] * 10)
        assert "20 labels are of mixed text direction" in only(report.warnings)

    def test_some_in_upper_and_some_in_lower_case_are_a_warning(self, noise: list[Path]) -> None:
        report = labelled(noise, ["abc", "bca"] * 5 + ["ABC", "CAB"] * 5)
        warning = only(report.warnings)
        assert "10 labels are in lower case and 10 in upper case" in warning
        assert "training convert --lower" in warning

    def test_in_mixed_case_are_no_warning(self, noise: list[Path]) -> None:
        assert labelled(noise, ["aBc", "AbC"] * 10).warnings == []


class TestTheSamePicture:
    def test_with_different_labels_is_an_error(self, sound: list[Sample]) -> None:
        error = only(validate_samples([*sound, replace(sound[0], label="bb")], STEPS).errors)
        assert error.startswith("the same picture with different labels")
        assert f"{sound[0].path} (ab) = {sound[0].path} (bb)" in error

    def test_with_labels_that_differ_in_case_is_an_error(self, sound: list[Sample]) -> None:
        more = [replace(sound[0], label="AB"), *(replace(sample, label="ABAB") for sample in sound[2:6:2])]
        errors = validate_samples([*sound, more[0]], STEPS).errors
        assert "labels that differ in case" in only(errors)
        assert "--lower" in only(errors)

    def test_in_another_format_is_found_by_its_pixels(self, sound: list[Sample], tmp_path: Path) -> None:
        first = cv2.imread(str(sound[0].path))
        assert first is not None
        cv2.imwrite(str(tmp_path / "first.png"), first)
        cv2.imwrite(str(tmp_path / "again.webp"), first, [cv2.IMWRITE_WEBP_QUALITY, 101])
        same = [Sample(tmp_path / "first.png", "a"), Sample(tmp_path / "again.webp", "b")]
        assert "different labels" in only(validate_samples([*sound, *same], STEPS).errors)

    def test_several_times_is_a_warning(self, sound: list[Sample]) -> None:
        report = validate_samples([*sound, sound[0], sound[1], sound[1]], STEPS)
        assert report.errors == []
        assert only(report.warnings).startswith("the same picture, 2 pictures, several times")

    def test_on_both_sides_of_a_split_is_a_warning(self, sound: list[Sample]) -> None:
        train = [replace(sample, split="train") for sample in sound]
        report = validate_samples([*train, replace(sound[0], split="test")], STEPS)
        assert report.errors == []
        warning = only(report.warnings)
        assert "in more than one of train, val and test" in warning
        assert f"{sound[0].path} (train) = {sound[0].path} (test)" in warning
