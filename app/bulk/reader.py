"""From the paths of images to rows."""

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from app.bulk.job import BulkError, Chunk, Job
from app.inference.decoding.automaton import ConstraintError
from app.inference.decoding.beam import Search
from app.inference.decoding.constraints import make_constraint
from app.inference.decoding.ctc import Decoded
from app.inference.images import (
    ImageError,
    ImageLimits,
    ImageTooLargeError,
    Pixels,
    UnsupportedImageError,
    decode_image,
)
from app.inference.models.model import ImageToTextModel, ModelError
from app.shared.csv_files import write_rows
from app.shared.json_bytes import json_bytes

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


Load = Callable[[str, int], bytes]
"""The content of a path that has at most so many bytes."""


def load_file(path: str, max_bytes: int) -> bytes:
    """The content of a file that is not too large.

    Raises:
        ImageError: it is, or it is no file.
        OSError: it cannot be read.
    """
    # Opened without waiting for somebody to open the other end, should it be a pipe.
    descriptor = os.open(path, _READ)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            raise UnsupportedImageError("This is a pipe or a device, not a file.")
        check_size(status.st_size, max_bytes)
        content = os.read(descriptor, status.st_size)
        while len(content) < status.st_size and (more := os.read(descriptor, status.st_size - len(content))):
            content += more
        return content
    finally:
        os.close(descriptor)


def check_size(size: int, max_bytes: int) -> None:
    """Look whether a file is small enough to be read.

    Raises:
        ImageTooLargeError: it is not.
    """
    if size > max_bytes:
        raise ImageTooLargeError(f"The file is too large: at most {max_bytes:,} bytes are read (OCR_MAX_UPLOAD_BYTES).")


def open_reader(job: Job, load: Load = load_file) -> Callable[[Sequence[str]], Chunk]:
    """Load the job's model; what is returned reads a chunk of paths.

    Args:
        job: how images are read.
        load: where their content comes from.

    Raises:
        BulkError: the model cannot be used, or no text satisfies the constraints.
    """
    try:
        model = ImageToTextModel(job.model)
        return partial(_read, model, _make_search(job, model), job, load)
    except ModelError as error:
        raise BulkError(f"{job.model}: {error}.") from error
    except ConstraintError as error:
        raise BulkError(str(error)) from error


def _make_search(job: Job, model: ImageToTextModel) -> Search | None:
    if not job.alternatives and job.length is None and job.charset is None and job.pattern is None:
        return None
    constraint = make_constraint(
        model.codec,
        model.steps,
        length=job.length,
        charset=job.charset,
        pattern=job.pattern,
        visual_order=model.configs.direction is not None,
    )
    return Search(constraint, job.alternatives)


def _read(model: ImageToTextModel, search: Search | None, job: Job, load: Load, paths: Sequence[str]) -> Chunk:
    errors: dict[int, str] = {}
    limits = ImageLimits(job.max_pixels, job.max_side)

    def decoded() -> Iterator[Pixels]:
        for index, path in enumerate(paths):
            try:
                yield decode_image(load(path, job.max_bytes), limits)
            except ImageError as error:
                errors[index] = str(error)
            except OSError as error:
                errors[index] = f"The file cannot be read: {error.strerror or error}."

    texts = iter(model.read_texts(decoded(), search))
    empty = dict.fromkeys(job.columns)
    rows = [
        _row(empty | {"path": path}, job, errors[index] if index in errors else next(texts))
        for index, path in enumerate(paths)
    ]
    return Chunk(LAYOUTS[job.layout](rows), len(rows), [f"{paths[index]}: {errors[index]}" for index in sorted(errors)])


def _row(row: dict[str, Any], job: Job, result: Decoded | str) -> dict[str, Any]:
    """Fill in the job's columns of an image that was read, or why it was not."""
    if isinstance(result, str):
        row["error"] = result
        return row
    # Digits beyond the sixth mean nothing, as in the service's answers.
    row["text"] = result.text
    row["confidence"] = round(result.confidence, 6)
    row["character_confidences"] = [round(span.confidence, 6) for span in result.spans]
    if job.alternatives:
        row["alternatives"] = [
            {"text": other.text, "confidence": round(other.confidence, 6)} for other in result.alternatives
        ]
    if job.min_confidence is not None:
        row["accepted"] = row["confidence"] >= job.min_confidence
    return row


def _as_json(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json_bytes(row) + b"\n" for row in rows)


def _as_tabs(rows: Sequence[dict[str, Any]]) -> bytes:
    """Path, text, confidence, and whether it is accepted where that was asked; errors are told elsewhere."""
    lines = []
    for row in rows:
        if row["error"] is None:
            accepted = [str(row["accepted"]).lower()] if "accepted" in row else []
            lines.append([row["path"], row["text"], f"{row['confidence']:.6f}", *accepted])
    text = io.StringIO()
    write_rows(text, lines, delimiter="\t")
    return text.getvalue().encode("utf-8", "surrogateescape")


LAYOUTS = {"json": _as_json, "tabs": _as_tabs}
