"""Invalid tables of paths and labels, and locations of their images."""

import json
from pathlib import Path

import pytest

from tests.training.data.layouts.conftest import Draw
from training.data.dataset import DataError
from training.data.layouts import read_dataset, read_samples


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the simplest is a UTF-8 CSV file with the columns path,label"),
        ("once upon a time\n", "the simplest is a UTF-8 CSV file"),
        ("path,label\n,1\n", "line 2: a path or a label is missing"),
        ("path,label\none.png,1\none.png\n", "line 3: a path or a label is missing"),
        ("path,label\none.png,1,2\n", "line 2: more fields than columns"),
        ("path,label\n", "lists no images"),
        (
            "path,label\nnowhere.png,1\none.png,2\n",
            r"1 of 2 images are not at the listed paths \(nowhere\.png\).*--images",
        ),
        ("who,file,when\nme,one.png,now\n", r"which other column \(who, file, when\) holds the text"),
        ('one.png\t[{"transcription": "a", "points": []}]\n', "with regions of pages"),
        ('{"file_name": "one.png", "text": "1"}\n{"file_name": "one.png"}\n', "line 2: no text"),
    ],
)
def test_errors_name_the_file_and_line(folder: Path, draw: Draw, text: str, message: str) -> None:
    draw(["one.png"])
    file = folder / ("labels.jsonl" if text.startswith("{") else "labels.csv")
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_samples(file)


def test_binary_files_are_rejected(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="not a list of images and labels"):
        read_samples(folder / "labels.csv")


def test_images_are_found_beside_the_list_and_in_the_current_folder(
    folder: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(["sheets/one.png", "two.png"])
    (folder / "sheets" / "labels.csv").write_text("path,label\none.png,1\ntwo.png,2\n")
    monkeypatch.chdir(folder)
    found = [sample.path for sample in read_samples(Path("sheets/labels.csv"))]
    assert found == [Path("sheets/one.png"), Path("two.png")]


def test_moved_images_are_found_in_the_given_folder(folder: Path, draw: Draw) -> None:
    one, two = draw(["moved/one.png", "moved/sub/two.png"])
    (folder / "labels.csv").write_text("path,label\nold/place/one.png,1\n/old/sub/two.png,2\n")
    assert [sample.path for sample in read_samples(folder / "labels.csv", folder / "moved")] == [one, two]
    with pytest.raises(DataError, match="is not a folder of images"):
        read_samples(folder / "labels.csv", folder / "mowed")


def test_two_names_of_one_image_are_rejected(folder: Path, draw: Draw) -> None:
    draw(["one.png"])
    (folder / "labels.csv").write_text("path,label\na/one.png,1\nb/one.png,2\n")
    with pytest.raises(DataError, match="both lead to"):
        read_samples(folder / "labels.csv")


def test_tasks_without_exactly_one_text_are_skipped_and_counted(folder: Path, draw: Draw) -> None:
    draw(["one.png", "two.png", "three.png"])
    one, two, several = ([{"value": {"text": [text]}} for text in texts] for texts in ("1", "2", "34"))
    tasks = [
        {"data": {"ocr": "one.png"}, "annotations": [{"result": one}]},
        {"data": {"ocr": "two.png"}, "annotations": [{"was_cancelled": True, "result": two}]},
        {"data": {"ocr": "three.png"}, "annotations": [{"result": several}]},
    ]
    (folder / "export.json").write_text(json.dumps(tasks))
    found = read_dataset(folder)
    assert [sample.label for sample in found.samples] == ["1"]
    assert found.notes[1:3] == ["1 task without a text: skipped", "1 task with several texts: skipped"]
