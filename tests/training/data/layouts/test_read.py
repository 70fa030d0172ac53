"""Reading labelled images: each layout is recognised, and the findings are described."""

import json
from pathlib import Path

import pytest

from tests.training.data.layouts.conftest import Draw
from training.data.dataset import DataError
from training.data.layouts import LAYOUTS, LayoutName, read_dataset
from training.data.suspects import Suspect, write_suspects

LABELS = ["patdv", "k2wgu", "9q3y7", "em5n9"]
FILES = [f"pictures/{number}.png" for number in range(4)]


def csv(header: str, delimiter: str = ",") -> str:
    rows = [f"{file}{delimiter}{label}" for file, label in zip(FILES, LABELS, strict=True)]
    return "\n".join(filter(None, [header, *rows])) + "\n"


def json_lines(key: str) -> str:
    return "".join(
        json.dumps({"file_name": file, key: label}) + "\n" for file, label in zip(FILES, LABELS, strict=True)
    )


def tasks() -> str:
    return json.dumps(
        [
            {
                "data": {"image": f"/data/local-files/?d={file}"},
                "annotations": [{"result": [{"type": "textarea", "value": {"text": [label]}}]}],
            }
            for file, label in zip(FILES, LABELS, strict=True)
        ]
    )


def short_tasks() -> str:
    entries = zip(FILES, LABELS, strict=True)
    return json.dumps([{"image": f"s3://scans/{file}", "id": 1, "text": label} for file, label in entries])


LISTS = {
    "labels.csv": (csv("path,label"), LayoutName.CSV),
    "semicolons.csv": (csv("file;text", ";"), LayoutName.CSV),
    "tabs.tsv": (csv("filename\tGround_Truth", "\t"), LayoutName.CSV),
    "no-header.csv": (csv(""), LayoutName.CSV),
    "other-names.csv": (csv("bild;aufschrift", ";"), LayoutName.CSV),
    "from-excel.csv": ("\ufeff" + csv("file;text", ";").replace("\n", "\r\n").replace("/", "\\"), LayoutName.CSV),
    "of-another-machine.csv": (csv("path,label").replace("pictures/", r"C:\Users\me\pictures\\"), LayoutName.CSV),
    "quoted.txt": ("".join(f'{f}, "{t}"\n' for f, t in zip(FILES, LABELS, strict=True)), LayoutName.CSV),
    "rec_gt_train.txt": (csv("", "\t"), LayoutName.PADDLEOCR),
    "train.csv": (csv("image_path,plate_text"), LayoutName.FAST_PLATE_OCR),
    "labels.txt": (csv("", " "), LayoutName.LABELS_TXT),
    "colons.txt": (csv("", ": "), LayoutName.LABELS_TXT),
    "export.json": (tasks(), LayoutName.LABEL_STUDIO),
    "min.json": (short_tasks(), LayoutName.LABEL_STUDIO),
    "export.csv": (
        "annotation_id,image,lead_time,transcription\n"
        + "".join(f"1,/data/upload/1/{f},2.5,{t}\n" for f, t in zip(FILES, LABELS, strict=True)),
        LayoutName.LABEL_STUDIO,
    ),
    "metadata.jsonl": (json_lines("text"), LayoutName.HUGGING_FACE),
    "metadata.csv": (csv("file_name,text"), LayoutName.HUGGING_FACE),
}
"""Names of lists, their content, and their layout."""


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("of_folder", [True, False], ids=["folder", "file"])
def test_a_list_is_recognised_in_its_folder_and_by_itself(
    draw: Draw, folder: Path, name: str, *, of_folder: bool
) -> None:
    paths = draw(FILES)
    text, layout = LISTS[name]
    (folder / name).write_bytes(text.encode())
    found = read_dataset(folder if of_folder else folder / name)
    assert found.layout == layout
    assert [sample.label for sample in found.samples] == LABELS
    assert [sample.path for sample in found.samples] == paths
    assert f"found 4 labels in {folder / name} ({layout})" in found.notes[0]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_read_in_the_given_layout(draw: Draw, folder: Path, name: str) -> None:
    draw(FILES)
    text, layout = LISTS[name]
    (folder / name).write_bytes(text.encode())
    assert read_dataset(folder, labels_from=layout).layout == layout
    assert read_dataset(folder, labels_from=LayoutName.NAMES).samples[1].label == "1"


def test_all_layouts_are_tried() -> None:
    assert set(LAYOUTS) == set(LayoutName)
    assert {layout for _, layout in LISTS.values()} == {name for name in LAYOUTS if LAYOUTS[name].read}


def test_a_list_of_another_layout_is_rejected(draw: Draw, folder: Path) -> None:
    draw(FILES)
    (folder / "labels.csv").write_text(csv("path,label"))
    with pytest.raises(DataError, match="not a list of the layout paddleocr"):
        read_dataset(folder / "labels.csv", labels_from=LayoutName.PADDLEOCR)
    with pytest.raises(DataError, match="holds no list of the layout paddleocr"):
        read_dataset(folder, labels_from=LayoutName.PADDLEOCR)
    with pytest.raises(DataError, match="is for the images of a folder"):
        read_dataset(folder / "labels.csv", labels_from=LayoutName.NAMES)


def test_several_lists_are_rejected(draw: Draw, folder: Path) -> None:
    draw(FILES)
    for name in ("labels.csv", "old.csv"):
        (folder / name).write_text(csv("path,label"))
    with pytest.raises(DataError, match=r"several lists of labels \(labels\.csv, old\.csv\)"):
        read_dataset(folder)


def test_lists_of_suspects_are_ignored(draw: Draw, folder: Path) -> None:
    draw(f"{label}.png" for label in LABELS)
    write_suspects([Suspect(f"{LABELS[0]}.png", LABELS[0], "other", 0.9)], folder / "suspects.csv")
    assert sorted(sample.label for sample in read_dataset(folder).samples) == sorted(LABELS)


def test_lists_of_splits_are_one_data_set(draw: Draw, folder: Path) -> None:
    draw(FILES)
    lines = csv("", "\t").splitlines(keepends=True)
    (folder / "rec_gt_train.txt").write_text("".join(lines[:3]))
    (folder / "rec_gt_val.txt").write_text(lines[3])
    found = read_dataset(folder)
    assert [sample.split for sample in found.samples] == ["train", "train", "train", "val"]
    assert found.notes[-1] == "split as in the data: 3 train, 1 val"


def test_metadata_may_be_in_the_folders_of_the_splits(draw: Draw, folder: Path) -> None:
    draw(["train/0.png", "train/1.png", "test/0.png"])
    (folder / "train" / "metadata.csv").write_text("file_name,text\n0.png,ab\n1.png,cd\n")
    (folder / "test" / "metadata.csv").write_text("file_name,text\n0.png,ef\n")
    found = read_dataset(folder)
    assert {sample.label: sample.split for sample in found.samples} == {"ab": "train", "cd": "train", "ef": "test"}


def test_a_column_may_split_the_images(draw: Draw, folder: Path) -> None:
    draw(FILES)
    rows = zip(FILES, LABELS, ["training", "train", "valid", "test"], strict=True)
    (folder / "labels.csv").write_text("path,label,split\n" + "".join(f"{','.join(row)}\n" for row in rows))
    assert [sample.split for sample in read_dataset(folder).samples] == ["train", "train", "val", "test"]


def test_folders_may_split_named_images(draw: Draw, folder: Path) -> None:
    draw(["train/patdv.png", "train/more/k2wgu.png", "valid/9q3y7.png", "test/em5n9.png"])
    found = read_dataset(folder)
    assert {sample.label: sample.split for sample in found.samples} == {
        "patdv": "train",
        "k2wgu": "train",
        "9q3y7": "val",
        "em5n9": "test",
    }
    assert found.notes == ["found 4 labels in names", "split as in the data: 2 train, 1 val, 1 test"]


def test_a_single_split_is_ignored(draw: Draw, folder: Path) -> None:
    draw(["test/patdv.png", "test/k2wgu.png"])
    assert {sample.split for sample in read_dataset(folder).samples} == {""}


def test_suffixes_of_names_are_removed_and_the_note_names_the_alternative(draw: Draw, folder: Path) -> None:
    draw(["patdv_8b8e8f4e.png", "k2wgu_a1.png", "9q3y7_a2.png"])
    found = read_dataset(folder)
    assert found.layout == LayoutName.NAME_STARTS
    assert [sample.label for sample in found.samples] == ["9q3y7", "k2wgu", "patdv"]
    (note,) = found.notes
    assert note.startswith('found 3 labels in names before "_" (9q3y7_a2.png: 9q3y7)')
    assert "--labels-from names" in note
    whole = read_dataset(folder, labels_from=LayoutName.NAMES)
    assert whole.samples[0].label == "9q3y7_a2"


def test_names_that_are_not_labels_are_rejected_with_advice(draw: Draw, folder: Path) -> None:
    draw([f"IMG_{number:04}.png" for number in range(12)])
    with pytest.raises(DataError, match='look like file names, not labels: "IMG_" and a number') as caught:
        read_dataset(folder)
    assert f"-m training label {folder}" in str(caught.value)
    assert "--labels-from names" in str(caught.value)
    assert read_dataset(folder, labels_from=LayoutName.NAMES).samples[0].label == "IMG_0000"


def test_skipped_files_are_mentioned(draw: Draw, folder: Path) -> None:
    draw(["patdv.png", "k2wgu.png", "a.svg", "sub/b.svg", "README", ".hidden"])
    assert read_dataset(folder).notes[1:] == ["skipped 2 .svg files and 1 file without a suffix"]


def test_images_missing_from_a_list_are_mentioned(draw: Draw, folder: Path) -> None:
    draw([*FILES, "more.png", "drawing.svg"])
    (folder / "labels.csv").write_text(csv("path,label"))
    assert read_dataset(folder).notes[1:] == ["1 image not listed: more.png", "skipped 1 .svg file"]


def test_the_error_for_a_folder_without_images_says_what_is_in_it(folder: Path, draw: Draw) -> None:
    draw(["a.svg", "b.svg"])
    with pytest.raises(DataError, match=r"holds no images .* skipped 2 \.svg files"):
        read_dataset(folder)


def test_a_missing_path_is_rejected(folder: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_dataset(folder / "nowhere")


def test_an_image_is_not_a_list(draw: Draw) -> None:
    (image,) = draw(["patdv.png"])
    with pytest.raises(DataError, match="is an image; give its folder"):
        read_dataset(image)


def test_spaces_around_labels_are_removed_and_counted(draw: Draw, folder: Path) -> None:
    draw(FILES)
    (folder / "labels.csv").write_text(csv("path,label").replace(",k2wgu", ", k2wgu ").replace(",em5n9", ",em5n9 "))
    found = read_dataset(folder)
    assert [sample.label for sample in found.samples] == LABELS
    assert "spaces around 2 labels removed" in found.notes


def test_labels_are_normalised_in_all_layouts(draw: Draw, folder: Path) -> None:
    draw(["cafe\u0301.png", "x.png"])
    assert read_dataset(folder).samples[0].label == "caf\u00e9"
    (folder / "labels.csv").write_text("path,label\nx.png,cafe\u0301\n", encoding="utf-8")
    assert read_dataset(folder).samples[0].label == "caf\u00e9"


def test_the_apostrophe_that_protects_from_formulas_is_removed(draw: Draw, folder: Path) -> None:
    draw(FILES)
    (folder / "readings.csv").write_text(f"path,text,confidence\n{FILES[0]},'=1+1,0.5\n{FILES[1]},'t,0.5\n")
    assert [sample.label for sample in read_dataset(folder / "readings.csv").samples] == ["=1+1", "'t"]
