"""Conversion of image paths to rows."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.bulk.job import BulkError, Chunk, Job
from app.inference.decoding.automaton import ConstraintError
from app.inference.decoding.ctc import CONFIDENCE_DIGITS, Decoded
from app.inference.images import ImageError, ImageLimits, ImageTooLargeError, Pixels, decode_image, load_image
from app.inference.models.model import ModelError
from app.inference.reader import Reader, is_accepted, read_each
from app.shared.csv_files import write_rows
from app.shared.json_bytes import json_bytes

Load = Callable[[str, int], bytes]
"""Returns the content of a path, of at most the given bytes."""


def load_file(path: str, max_bytes: int) -> bytes:
    """Return the content of a file of at most `max_bytes`.

    Raises:
        ImageError: if it is larger or cannot be read.
    """
    try:
        return load_image(path, max_bytes)
    except ImageTooLargeError as error:
        raise too_large(max_bytes) from error


def too_large(max_bytes: int) -> ImageTooLargeError:
    """Return the error for a file of more than `max_bytes`."""
    return ImageTooLargeError(f"The file is too large: at most {max_bytes:,} bytes (OCR_MAX_UPLOAD_BYTES).")


def open_reader(job: Job, load: Load = load_file) -> Callable[[Sequence[str]], Chunk]:
    """Load the job's model; return a function that reads a chunk of paths, whose content `load` returns.

    Raises:
        BulkError: if the model cannot be used, or no text satisfies the constraints.
    """
    try:
        reader = Reader(
            job.model,
            length=job.length,
            charset=job.charset,
            pattern=job.pattern,
            alternatives=job.alternatives,
            evaluate=job.evaluate,
        )
    except ModelError as error:
        raise BulkError(f"{job.model}: {error}.") from error
    except ConstraintError as error:
        raise BulkError(str(error)) from error
    return partial(_read, reader, job, load)


def _read(reader: Reader, job: Job, load: Load, paths: Sequence[str]) -> Chunk:
    read = partial(reader.model.read_texts, search=reader.search)  # rows have no boxes
    results = read_each(read, [partial(_decode, load, path, job) for path in paths])
    rows = [_row(path, job, result) for path, result in zip(paths, results, strict=True)]
    errors = [f"{row['path']}: {row['error']}" for row in rows if row["error"] is not None]
    return Chunk(LAYOUTS[job.layout](rows), len(rows), errors)


def _decode(load: Load, path: str, job: Job) -> Pixels:
    return decode_image(load(path, job.max_bytes), ImageLimits(job.max_pixels, job.max_side))


def _row(path: str, job: Job, result: Decoded | ImageError) -> dict[str, Any]:
    """Return the row of an image: its reading or its error."""
    row: dict[str, Any] = dict.fromkeys(job.columns) | {"path": path}
    if isinstance(result, ImageError):
        return row | {"error": str(result)}
    row["text"] = result.text
    row["confidence"] = round(result.confidence, CONFIDENCE_DIGITS)
    row["character_confidences"] = [round(span.confidence, CONFIDENCE_DIGITS) for span in result.spans]
    if job.alternatives:
        row["alternatives"] = [alternative.to_dict() for alternative in result.alternatives]
    if result.sum is not None:
        row["value"] = result.sum.value
        row["value_confidence"] = round(result.sum.confidence, CONFIDENCE_DIGITS)
    if job.min_confidence is not None:
        row["accepted"] = is_accepted(result, job.min_confidence)
    return row


def _as_json(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json_bytes(row) + b"\n" for row in rows)


def _as_tabs(rows: Sequence[dict[str, Any]]) -> bytes:
    """Format path, text, confidence, and value and acceptance if requested; errors are reported elsewhere."""
    lines = []
    for row in rows:
        if row["error"] is None:
            value = [row["value"], f"{row['value_confidence']:.6f}"] if "value" in row else []
            accepted = [str(row["accepted"]).lower()] if "accepted" in row else []
            lines.append([row["path"], row["text"], f"{row['confidence']:.6f}", *value, *accepted])
    text = io.StringIO()
    write_rows(text, lines, delimiter="\t")
    return text.getvalue().encode("utf-8", "surrogateescape")


LAYOUTS = {"json": _as_json, "tabs": _as_tabs}
