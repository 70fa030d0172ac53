"""Bulk reading on a Ray cluster, or a local Ray, into a folder of Parquet files."""

import hashlib
import logging
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.bulk.engines import Counts
from app.bulk.filesystems import Fetcher, check_arguments, list_images, roots_of
from app.bulk.job import CHUNK, BulkError, Job, describe
from app.bulk.parts import PART, PartFolder
from app.bulk.reader import open_reader
from app.shared.cluster import check_ray, connect
from app.shared.cpus import available_cpus

PROCESSORS_A_WORKER = 0.5
"""CPUs that a worker requests from Ray: half of its use, so that other machines have room for those of a lost one."""
PARTS_IN_FLIGHT = 2
"""Parts assigned to a worker at a time, so that it does not wait for the next one."""


class RayEngine:
    """Engine that reads images on the cluster at `RAY_ADDRESS`, or without one on this machine; see `Engine`.

    The workers write a folder of Parquet files.
    """

    def __init__(
        self, paths: Sequence[str], output: str | None, *, workers: int | None, force: bool, restart: bool
    ) -> None:
        """Prepare to read; if `workers` is None, use one process per processor of the cluster."""
        self._paths, self._output = paths, output
        self._workers, self._force, self._restart = workers, force, restart

    def check(self) -> None:
        """Check that the paths can be read and the output can be written; see `Engine`."""
        check_ray()
        self._folder().check(force=self._force, restart=self._restart)
        check_arguments(self._paths)

    def read(self, job: Job) -> Generator[Counts, None, None]:
        """Read all images; see `Engine`."""
        open_reader(job)  # fails early if the model or the constraints are invalid
        folder = self._folder()
        parts, made_with = _divide(self._paths)
        made_with = describe(job) | made_with
        there = folder.begin(made_with, restart=self._restart)
        for number in sorted(there):
            images, errors = folder.count_errors(number)
            yield Counts(images, errors, before=images)
        todo = [part for part in parts if part["part"][0].as_py() not in there]
        if todo:
            with connect(self._workers or available_cpus()) as processors:
                workers = self._workers or processors
                yield from _read_parts(todo, job, roots_of(self._paths), folder, made_with, workers)
        folder.finish(len(parts))

    def _folder(self) -> PartFolder:
        if self._output is None:
            raise BulkError("--engine ray needs --output, the folder or URL to write Parquet files to.")
        return PartFolder(self._output)


class PartReader:
    """Worker that reads the images of a part and writes their rows."""

    def __init__(
        self, job: Job, model: Any, roots: Mapping[str, str], working_folder: Path, output: str, made_with: Any
    ) -> None:
        """Load the model.

        Args:
            job: how to read images.
            model: Ray's reference to the files of the model's folder by name; the folder may exist only on the driver.
            roots: see `Fetcher`.
            working_folder: see `Fetcher`.
            output: location of the folder of parts, valid on every machine.
            made_with: description of the job in that folder.
        """
        import ray

        self._folder = PartFolder(output)
        if self._folder.started_with() != made_with:
            raise BulkError(
                f"{os.uname().nodename} cannot access {output}: use a URL, or a folder that all machines share"
            )
        self._job = job
        self._fetcher = Fetcher(roots, working_folder, job.max_bytes)
        with TemporaryDirectory() as temporary:
            for name, content in ray.get(model).items():
                (Path(temporary) / name).write_bytes(content)
            self._read = open_reader(replace(job, model=Path(temporary)), self._fetcher.load)

    def __call__(self, batch: Any) -> dict[str, list[int]]:
        """Read and write a part, given as a table of one row; return its counts."""
        paths = [os.fsdecode(path) for path in batch["paths"][0].as_py()]
        rows: list[bytes] = []
        errors = 0
        for start in range(0, len(paths), CHUNK):
            chunk_paths = paths[start : start + CHUNK]
            self._fetcher.begin(chunk_paths)
            chunk = self._read(chunk_paths)
            rows += chunk.rows.splitlines(keepends=True)
            errors += len(chunk.errors)
        self._folder.write(batch["part"][0].as_py(), self._job.columns, rows)
        return {"images": [len(rows)], "errors": [errors]}


def _divide(arguments: Iterable[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return the parts, each a table of one row with its number and paths, and a description that identifies them."""
    import pyarrow as pa

    paths = map(os.fsencode, list_images(arguments))
    parts: list[Any] = []
    images, digest = 0, hashlib.sha256()
    while part := list(islice(paths, PART)):
        digest.update(b"\0".join([*part, b""]))
        images += len(part)
        parts.append(pa.table({"part": [len(parts)], "paths": pa.array([part], pa.list_(pa.binary()))}))
    return parts, {"number of images": images, "list of images": digest.hexdigest(), "size of parts": PART}


def _read_parts(
    parts: list[Any], job: Job, roots: Mapping[str, str], folder: PartFolder, made_with: Mapping[str, Any], workers: int
) -> Iterator[Counts]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are also raised
    DataContext.get_current().enable_progress_bars = False
    model = ray.put({path.name: path.read_bytes() for path in job.model.iterdir() if path.is_file()})
    workers = min(workers, len(parts))
    done = ray.data.from_arrow(parts).map_batches(
        PartReader,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_args=(job, model, roots, Path.cwd(), folder.everywhere, made_with),
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=PARTS_IN_FLIGHT),
        num_cpus=PROCESSORS_A_WORKER,
    )
    try:
        for row in done.iter_rows():
            yield Counts(row["images"], row["errors"])
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]  # the earlier lines are the worker's traceback
        raise BulkError(f"A worker failed: {reason.removeprefix(f'{BulkError.__module__}.BulkError: ')}") from error
