"""The list of fast-plate-ocr: a CSV file with the columns image_path,plate_text."""

from pathlib import Path

from training.data.layouts.listing import Listing, read_text
from training.data.layouts.tables import read_table


def read(file: Path) -> Listing | None:
    """Read a list of fast-plate-ocr; None if the file is something else.

    Raises:
        DataError: a row is wrong.
        OSError: the file cannot be read.
    """
    text = read_text(file)
    return None if text is None else read_table(text, file, ("image_path",), ("plate_text",))
