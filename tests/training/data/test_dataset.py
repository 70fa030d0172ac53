"""Labelled images: splitting, CSV files, arrays."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import (
    DataError,
    InputSize,
    Sample,
    data_checksum,
    divide_samples,
    encode_labels,
    fit_images,
    load_images,
    read_csv,
    split_samples,
    vocabulary_of,
    write_csv,
)


def draw(path: Path, grey: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((50, 200), grey, np.uint8))
    return path


def some_samples(count: int) -> list[Sample]:
    return [Sample(Path(f"{index:04}.png"), f"{index:04}") for index in range(count)]


class TestACsvFile:
    @pytest.mark.parametrize("split", ["", "val"])
    def test_survives_writing_and_reading(self, tmp_path: Path, split: str) -> None:
        labels = ["a,b", '"', "a b", "é", "=1+1", "\r", "'x"]
        samples = [Sample(tmp_path / f"{index}.png", label, split) for index, label in enumerate(labels)]
        write_csv(samples, tmp_path / "labels.csv")
        assert read_csv(tmp_path / "labels.csv") == samples

    def test_has_the_column_split_only_if_the_images_are_split(self, tmp_path: Path) -> None:
        write_csv([Sample(Path("a.png"), "a")], tmp_path / "labels.csv")
        assert (tmp_path / "labels.csv").read_text() == "path,label\na.png,a\n"
        write_csv([Sample(Path("a.png"), "a", "train"), Sample(Path("b.png"), "b")], tmp_path / "labels.csv")
        assert (tmp_path / "labels.csv").read_text() == "path,label,split\na.png,a,train\nb.png,b,\n"

    @pytest.mark.parametrize("content", [b"file,label\na.png,a\n", b"path,label\na.png\n", b"\xff\xfe"])
    def test_of_another_format_is_rejected(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "labels.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"columns path,label|path or label is missing|not a UTF-8 CSV file"):
            read_csv(tmp_path / "labels.csv")


class TestTheSplit:
    def test_is_ninety_to_ten_without_overlap(self) -> None:
        samples = some_samples(936)
        train, validation = split_samples(samples, 0.1, seed=0)
        assert (len(train), len(validation)) == (842, 94)
        assert sorted(train + validation) == samples

    def test_depends_on_the_seed_alone(self) -> None:
        samples = some_samples(100)
        assert split_samples(samples, 0.1, seed=1) == split_samples(samples, 0.1, seed=1)
        assert split_samples(samples, 0.1, seed=1) != split_samples(samples, 0.1, seed=2)

    @pytest.mark.parametrize("fraction", [0.001, 0.999])
    def test_leaves_at_least_one_image_on_each_side(self, fraction: float) -> None:
        train, validation = split_samples(some_samples(2), fraction, seed=0)
        assert len(train) == len(validation) == 1

    def test_of_one_image_is_rejected(self) -> None:
        with pytest.raises(DataError, match="At least two"):
            split_samples(some_samples(1), 0.1, seed=0)


class TestGivenSplits:
    PARTS = ("train", "", "val", "test", "train")

    def test_are_kept(self) -> None:
        samples = [replace(sample, split=split) for sample, split in zip(some_samples(5), self.PARTS, strict=True)]
        train, validation = divide_samples(samples, 0.5, seed=0)
        assert [sample.label for sample in train] == ["0000", "0001", "0004"]
        assert [sample.label for sample in validation] == ["0002"]

    def test_without_validation_images_are_completed_at_random(self) -> None:
        samples = [replace(sample, split="test" if sample.label > "0005" else "train") for sample in some_samples(10)]
        train, validation = divide_samples(samples, 0.5, seed=0)
        assert sorted(train + validation) == samples[:6]
        assert len(train) == len(validation) == 3

    def test_must_leave_training_images(self) -> None:
        samples = [replace(sample, split="val") for sample in some_samples(3)]
        with pytest.raises(DataError, match="No image is left for training"):
            divide_samples(samples, 0.1, seed=0)


def test_the_vocabulary_is_sorted_by_code_point() -> None:
    assert vocabulary_of([Sample(Path("1.png"), "bA9"), Sample(Path("2.png"), "aéb")]) == "9Aabé"


def test_labels_are_padded_with_the_blank() -> None:
    samples = [Sample(Path("1.png"), "ab"), Sample(Path("2.png"), "a")]
    assert encode_labels([sample.label for sample in samples], CtcCodec("ab")).tolist() == [[0, 1], [0, 2]]


def test_images_are_resized_for_the_network(tmp_path: Path) -> None:
    samples = [Sample(draw(tmp_path / f"{grey}.png", grey), str(grey)) for grey in (10, 240)]
    images = load_images(samples, InputSize(100, 20, 3)).images
    assert images.shape == (2, 20, 100, 3)
    assert images.dtype == np.uint8
    assert images[:, 0, 0, 0].tolist() == [10, 240]


def test_right_to_left_labels_are_loaded_in_visual_order(tmp_path: Path) -> None:
    sample = Sample(draw(tmp_path / "1.png"), "\u05d0(\u05d112")  # alef, bracket, bet, 12: opened from the right
    assert load_images([sample], InputSize(100, 20, 1)).labels == ["12\u05d1)\u05d0"]
    assert vocabulary_of([sample]) == ")12\u05d0\u05d1"


def test_the_checksum_depends_on_content_and_labels_not_on_paths(tmp_path: Path) -> None:
    here, there = draw(tmp_path / "here" / "a.png"), draw(tmp_path / "there" / "b.png")
    assert data_checksum([Sample(here, "a")]) == data_checksum([Sample(there, "a")])
    assert data_checksum([Sample(here, "a")]) != data_checksum([Sample(here, "b")])
    assert data_checksum([Sample(here, "a")]) != data_checksum([Sample(draw(tmp_path / "c.png", 9), "a")])


class TestPicturesForANetwork:
    def test_are_scaled_to_its_size(self) -> None:
        fitted = fit_images([(np.full((20, 30), 7, np.uint8), "a")], 1, InputSize(64, 16, 3))
        assert (fitted.images.shape, fitted.labels) == ((1, 16, 64, 3), ["a"])

    def test_that_keep_their_proportions_are_padded_with_their_last_column(self) -> None:
        picture = np.full((16, 40), 90, np.uint8)
        picture[:8, -1] = 200
        fitted = fit_images([(picture, "a")], 1, InputSize(96, 16, 1, keep_proportions=True)).images
        assert fitted.shape == (1, 16, 96, 1)
        np.testing.assert_array_equal(fitted[0, :, :40, 0], picture)
        np.testing.assert_array_equal(fitted[0, :, 40:, 0], picture[:, -1:].repeat(56, axis=1))

    def test_that_are_too_wide_are_compressed(self) -> None:
        picture = np.tile(np.arange(200, dtype=np.uint8), (16, 1))
        fitted = fit_images([(picture, "a")], 1, InputSize(96, 16, 1, keep_proportions=True)).images
        assert fitted[0, 0, -1, 0] >= 195
