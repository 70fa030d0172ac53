"""The table of layouts."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple

from training.data.layouts import hugging_face, label_studio, labels_txt, names, paddleocr, tables
from training.data.layouts.listing import Listing


class LayoutName(StrEnum):
    """What `--labels-from` takes."""

    NAMES = "names"
    NAME_STARTS = "name-starts"
    NAME_ENDS = "name-ends"
    CSV = "csv"
    PADDLEOCR = "paddleocr"
    FAST_PLATE_OCR = "fast-plate-ocr"
    LABELS_TXT = "labels-txt"
    LABEL_STUDIO = "label-studio"
    HUGGING_FACE = "hugging-face"


class Layout(NamedTuple):
    """A layout: where its labels are, and how to extract them.

    Attributes:
        description: for the documentation, in Markdown.
        read: takes the text and the path of a list of labels and returns its content, or None if it has another layout;
            raises `DataError` if the list has an error.
        label_of: takes an image's name without its suffix and returns the label, for layouts without a list.
    """

    description: str
    read: Callable[[str, Path], Listing | None] | None = None
    label_of: Callable[[str], str] | None = None


LAYOUTS = {
    LayoutName.NAMES: Layout("the whole name: `2b827.png`, `2b827 (2).png`", label_of=names.whole),
    LayoutName.NAME_STARTS: Layout("the text before the first `_`: `2b827_a1.png`", label_of=names.start),
    LayoutName.NAME_ENDS: Layout("the text after the last `_`: `captcha_2b827.png`", label_of=names.end),
    LayoutName.LABEL_STUDIO: Layout("an export of Label Studio: JSON, JSON-MIN or CSV", label_studio.read),
    LayoutName.HUGGING_FACE: Layout(
        "Hugging Face's image folder: `metadata.csv` or `metadata.jsonl` with `file_name` and `text`",
        hugging_face.read,
    ),
    LayoutName.FAST_PLATE_OCR: Layout(
        "a CSV file with the columns `image_path,plate_text`",
        partial(tables.read_table, paths=("image_path",), labels=("plate_text",)),
    ),
    LayoutName.PADDLEOCR: Layout(
        "PaddleOCR's recognition list: a path, a tab and the text in each line", paddleocr.read
    ),
    LayoutName.CSV: Layout(
        "any other table: commas, semicolons or tabs; a header (`path,label`, `file;text` …) or none; "
        "a column `split` (`train`, `val`, `test`) if there is one",
        tables.read,
    ),
    LayoutName.LABELS_TXT: Layout(
        "a text file with a name, a space or a colon, and the text in each line", labels_txt.read
    ),
}
"""In the order in which recognition tries them."""
