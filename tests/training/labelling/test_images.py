"""Which images are listed, and that no other file is shown."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.inference.images import ImageError, decode_image
from tests.training.labelling.conftest import NAMES, write_image
from training.data.dataset import DataError
from training.labelling.images import ImageFolder, as_png, find_images


def test_images_are_found_recursively_and_in_a_fixed_order(images: ImageFolder) -> None:
    assert list(images.names) == NAMES
    assert images.left_out == ()


def test_other_and_hidden_files_are_skipped(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,label\n")
    write_image(folder / ".trash.png")
    write_image(folder / ".cache" / "x.png")
    assert list(find_images(folder).names) == NAMES


@pytest.mark.parametrize("target", ["outside.png", "missing.png", "images/loop.png"])
def test_a_link_out_of_the_folder_is_skipped_with_a_reason(folder: Path, target: str) -> None:
    write_image(folder.parent / "outside.png")
    (folder / "loop.png").symlink_to(folder.parent / target)
    images = find_images(folder)
    assert list(images.names) == NAMES
    assert images.left_out == ("loop.png is a link to a file outside the folder",)


def test_a_link_to_a_folder_is_not_followed(folder: Path) -> None:
    write_image(folder.parent / "elsewhere" / "x.png")
    (folder / "link").symlink_to(folder.parent / "elsewhere")
    assert list(find_images(folder).names) == NAMES


def test_a_link_within_the_folder_is_an_image(folder: Path) -> None:
    (folder / "z.png").symlink_to(folder / "a.png")
    assert find_images(folder).names[-1] == "z.png"


def test_a_name_that_is_not_utf_8_is_skipped_with_a_reason(folder: Path) -> None:
    write_image(folder / "x.png").rename(Path(os.fsdecode(bytes(folder) + b"/\xff.png")))
    assert find_images(folder).left_out == (r"\udcff.png has a name that is not UTF-8",)


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
def test_images_of_every_format_are_shown(tmp_path: Path, file_format: str) -> None:
    Image.new("L", (30, 20), 77).save(tmp_path / f"a.{file_format.lower()}", file_format)
    shown = decode_image(as_png(find_images(tmp_path).pixels(0)))
    assert shown.shape[:2] == (20, 30)
    assert (shown == 77).all()


def test_a_folder_without_images_is_rejected_with_the_accepted_formats(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match=r"holds no images \(PNG, .* \.png, \.jpg, "):
        find_images(tmp_path)


def test_a_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        find_images(write_image(tmp_path / "a.png"))


def test_a_file_replaced_by_a_link_out_of_the_folder_is_not_read(folder: Path, images: ImageFolder) -> None:
    write_image(folder.parent / "secret.png")
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(ImageError, match="outside the folder"):
        images.pixels(0)


def test_a_missing_file_is_an_image_error(folder: Path, images: ImageFolder) -> None:
    (folder / "a.png").unlink()
    with pytest.raises(ImageError, match="no longer exists"):
        images.pixels(0)


def test_a_file_that_never_ends_is_an_image_error(folder: Path, images: ImageFolder) -> None:
    (folder / "a.png").unlink()
    os.mkfifo(folder / "a.png")
    with pytest.raises(ImageError, match=r"a\.png is not a regular file"):
        images.pixels(0)


def test_the_browser_gets_the_networks_view() -> None:
    white_on_nothing = np.zeros((20, 60, 4), np.uint8)
    white_on_nothing[5:15, 20:40] = 255
    pixels = decode_image(cv2.imencode(".png", white_on_nothing)[1].tobytes())
    assert np.array_equal(decode_image(as_png(pixels)), pixels)
    assert pixels.min() == 0
