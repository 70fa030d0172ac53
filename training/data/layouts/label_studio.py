"""Label Studio exports: JSON, JSON-MIN and CSV."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training.data.layouts.listing import Listing, Row, names_image
from training.data.layouts.tables import read_table
from training.data.words import counted

CSV_MARKS = ("annotation_id", "lead_time")
"""Columns that only Label Studio's CSV has."""
CSV_PATHS, CSV_LABELS = ("image", "ocr", "captioning"), ("text", "transcription", "caption", "label")
NOT_TEXT = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "project"}


def read(text: str, file: Path) -> Listing | None:
    """Read an export; see `Layout`."""
    if file.suffix.lower() == ".csv":
        header = text.partition("\n")[0]
        return read_table(text, file, CSV_PATHS, CSV_LABELS) if all(mark in header for mark in CSV_MARKS) else None
    try:
        tasks = json.loads(text) if file.suffix.lower() == ".json" else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) for task in tasks):
        return None
    return _listing(tasks)


def _listing(tasks: list[dict[str, Any]]) -> Listing | None:
    rows: list[Row] = []
    without, with_several = 0, 0
    for task in tasks:
        data = task["data"] if isinstance(task.get("data"), dict) else task
        image = next((value for value in data.values() if isinstance(value, str) and _names_image(value)), None)
        if image is None:
            return None
        texts = list(_texts_of_annotations(task) if "annotations" in task else _texts_of_keys(task, image))
        if len(texts) == 1:
            rows.append(Row(image, texts[0]))
        without += not texts
        with_several += len(texts) > 1
    left_out = [
        f"{counted(count, 'task')} {why}: skipped"
        for count, why in ((without, "without a text"), (with_several, "with several texts"))
        if count
    ]
    return Listing(rows, "tasks of an image and a text", tuple(left_out))


def _names_image(value: str) -> bool:
    return names_image(value.partition("?d=")[2] or value.partition("?")[0])


def _texts_of_annotations(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of the last annotation that was not cancelled."""
    annotations = [one for one in task["annotations"] if isinstance(one, dict) and not one.get("was_cancelled")]
    for result in annotations[-1].get("result", []) if annotations else []:
        value = result.get("value") if isinstance(result, dict) else None
        text = value.get("text") if isinstance(value, dict) else None
        yield from [text] if isinstance(text, str) else text if isinstance(text, list) else []


def _texts_of_keys(task: Mapping[str, Any], image: str) -> Iterator[str]:
    """Yield the texts of JSON-MIN, in which each field of the labelling page is a key."""
    for key, value in task.items():
        if key not in NOT_TEXT and isinstance(value, str) and value != image:
            yield value
