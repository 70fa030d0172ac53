"""Labelled images from folders and CSV files."""

import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import (
    DataError,
    Sample,
    data_checksum,
    encode_labels,
    load_images,
    read_samples,
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


class TestAFolder:
    def test_names_its_images_by_their_labels(self, tmp_path: Path) -> None:
        for name in ("b2.png", "a1.jpg", "c3.webp", "D4.PNG", "e5.bmp", "f6.gif", "g7.tif", "h8.TIFF"):
            draw(tmp_path / name)
        (tmp_path / "notes.txt").write_text("not an image")
        assert [sample.label for sample in read_samples(tmp_path)] == ["D4", "a1", "b2", "c3", "e5", "f6", "g7", "h8"]

    def test_has_images_of_any_format_whatever_they_are_called(self, tmp_path: Path) -> None:
        for suffix, file_format in ((".png", "BMP"), (".jpg", "PNG"), (".bmp", "GIF"), (".gif", "TIFF")):
            Image.new("L", (20, 10), 90).save(tmp_path / f"a{suffix}", file_format)
        loaded = load_images(read_samples(tmp_path), width=20, height=10, channels=1)
        assert loaded.images.shape == (4, 10, 20, 1)
        assert (loaded.images == 90).all()

    def test_has_composed_labels_whatever_the_file_system_made_of_them(self, tmp_path: Path) -> None:
        draw(tmp_path / (unicodedata.normalize("NFD", "café") + ".png"))
        assert read_samples(tmp_path)[0].label == unicodedata.normalize("NFC", "café")

    def test_without_images_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds no images"):
            read_samples(tmp_path)

    def test_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="neither a folder nor a CSV"):
            read_samples(tmp_path / "nowhere")


class TestACsvFile:
    def test_reads_back_what_was_written(self, tmp_path: Path) -> None:
        samples = [
            Sample(draw(tmp_path / f"{index}.png"), label) for index, label in enumerate(["a,b", '"', " x ", "é"])
        ]
        write_csv(samples, tmp_path / "labels.csv")
        assert read_samples(tmp_path / "labels.csv") == samples

    def test_finds_images_beside_itself_and_below_the_current_folder(self, in_folder: Path) -> None:
        draw(in_folder / "sheets" / "one.png")
        draw(in_folder / "two.png")
        (in_folder / "sheets" / "labels.csv").write_text("path,label\none.png,1\ntwo.png,2\n")
        paths = [sample.path for sample in read_samples(Path("sheets/labels.csv"))]
        assert paths == [Path("sheets/one.png"), Path("two.png")]

    def test_finds_images_that_were_moved(self, tmp_path: Path) -> None:
        draw(tmp_path / "moved" / "one.png")
        (tmp_path / "labels.csv").write_text("path,label\nold/place/one.png,1\n")
        (sample,) = read_samples(tmp_path / "labels.csv", images=tmp_path / "moved")
        assert sample == Sample(tmp_path / "moved" / "one.png", "1")

    def test_may_start_with_a_byte_order_mark_and_have_more_columns(self, tmp_path: Path) -> None:
        draw(tmp_path / "one.png")
        (tmp_path / "labels.csv").write_text("\ufefflabel,who,path\n1,me,one.png\n", encoding="utf-8")
        assert read_samples(tmp_path / "labels.csv")[0].label == "1"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("one.png,1\n", "columns path,label"),
            ("", "columns path,label"),
            ("path,label\n,1\n", "line 2"),
            ("path,label\none.png\n", "line 2"),
            ("path,label\nnowhere.png,1\n", "--images"),
            ("path,label\n", "holds no images"),
        ],
    )
    def test_that_is_wrong_says_where(self, tmp_path: Path, text: str, message: str) -> None:
        draw(tmp_path / "one.png")
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            read_samples(tmp_path / "labels.csv")

    def test_that_is_not_text_is_refused(self, tmp_path: Path) -> None:
        draw(tmp_path / "labels.csv.png").rename(tmp_path / "labels.csv")
        with pytest.raises(DataError, match="not a CSV file"):
            read_samples(tmp_path / "labels.csv")


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
    def test_leaves_one_in_each_part(self, fraction: float) -> None:
        train, validation = split_samples(some_samples(2), fraction, seed=0)
        assert len(train) == len(validation) == 1

    def test_of_one_image_is_refused(self) -> None:
        with pytest.raises(DataError, match="At least two"):
            split_samples(some_samples(1), 0.1, seed=0)


def test_the_vocabulary_is_sorted_by_code_point() -> None:
    assert vocabulary_of([Sample(Path("1.png"), "bA9"), Sample(Path("2.png"), "aéb")]) == "9Aabé"


def test_labels_are_padded_with_the_blank() -> None:
    samples = [Sample(Path("1.png"), "ab"), Sample(Path("2.png"), "a")]
    assert encode_labels([sample.label for sample in samples], CtcCodec("ab")).tolist() == [[0, 1], [0, 2]]


def test_images_come_in_the_size_of_the_network(tmp_path: Path) -> None:
    samples = [Sample(draw(tmp_path / f"{grey}.png", grey), str(grey)) for grey in (10, 240)]
    images = load_images(samples, width=100, height=20, channels=3).images
    assert images.shape == (2, 20, 100, 3)
    assert images.dtype == np.uint8
    assert images[:, 0, 0, 0].tolist() == [10, 240]


def test_the_checksum_is_of_content_and_labels_not_of_places(tmp_path: Path) -> None:
    here, there = draw(tmp_path / "here" / "a.png"), draw(tmp_path / "there" / "b.png")
    assert data_checksum([Sample(here, "a")]) == data_checksum([Sample(there, "a")])
    assert data_checksum([Sample(here, "a")]) != data_checksum([Sample(here, "b")])
    assert data_checksum([Sample(here, "a")]) != data_checksum([Sample(draw(tmp_path / "c.png", 9), "a")])
