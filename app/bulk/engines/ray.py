"""Reading on a Ray cluster, or on this machine as if it were one, into a folder of Parquet files."""

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
"""What a worker asks Ray for, half of what it uses: those of a machine that is lost find room on the others."""
BEGUN_A_WORKER = 2
"""Parts that a worker has been handed, so that it need not wait for the next."""


class RayEngine:
    """Reads images on the cluster of `RAY_ADDRESS`, or without one on this machine; see `Engine`.

    The output is a folder of Parquet files, which the workers write.
    """

    def __init__(
        self, paths: Sequence[str], output: str | None, *, workers: int | None, force: bool, restart: bool
    ) -> None:
        """Prepare to read; where `workers` is None, one process a processor of the cluster reads."""
        self._paths, self._output = paths, output
        self._workers, self._force, self._restart = workers, force, restart

    def check(self) -> None:
        """Look whether the paths can be read and the output written; see `Engine`."""
        check_ray()
        self._folder().check(force=self._force, restart=self._restart)
        check_arguments(self._paths)

    def read(self, job: Job) -> Generator[Counts, None, None]:
        """Read all images; see `Engine`."""
        open_reader(job)  # what is wrong with the model or the constraints is told before a cluster is started
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
    """What a worker does with each part: read its images, and write their rows."""

    def __init__(
        self, job: Job, model: Any, roots: Mapping[str, str], working_folder: Path, output: str, made_with: Any
    ) -> None:
        """Load the model.

        Args:
            job: how images are read.
            model: Ray's reference to the files of the model's folder by their names: the driver's may be elsewhere.
            roots: see `Fetcher`.
            working_folder: see `Fetcher`.
            output: the location of the folder of parts, for every machine.
            made_with: what it was begun with.
        """
        import ray

        self._folder = PartFolder(output)
        if self._folder.started_with() != made_with:
            raise BulkError(
                f"{os.uname().nodename} does not see {output}: give a URL, or a folder that all machines share"
            )
        self._job = job
        self._fetcher = Fetcher(roots, working_folder, job.max_bytes)
        with TemporaryDirectory() as temporary:
            for name, content in ray.get(model).items():
                (Path(temporary) / name).write_bytes(content)
            self._read = open_reader(replace(job, model=Path(temporary)), self._fetcher.load)

    def __call__(self, batch: Any) -> dict[str, list[int]]:
        """Read and write a part, a table of one row; the answer is its counts."""
        paths = [os.fsdecode(path) for path in batch["paths"][0].as_py()]
        rows: list[bytes] = []
        errors = 0
        for start in range(0, len(paths), CHUNK):
            some = paths[start : start + CHUNK]
            self._fetcher.begin(some)
            chunk = self._read(some)
            rows += chunk.rows.splitlines(keepends=True)
            errors += len(chunk.errors)
        self._folder.write(batch["part"][0].as_py(), self._job.columns, rows)
        return {"images": [len(rows)], "errors": [errors]}


def _divide(arguments: Iterable[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return the parts, each a table of one row with its number and its paths, and what identifies them."""
    import pyarrow as pa

    paths = map(os.fsencode, list_images(arguments))
    parts: list[Any] = []
    images, digest = 0, hashlib.sha256()
    while some := list(islice(paths, PART)):
        digest.update(b"\0".join([*some, b""]))
        images += len(some)
        parts.append(pa.table({"part": [len(parts)], "paths": pa.array([some], pa.list_(pa.binary()))}))
    return parts, {"number of images": images, "list of images": digest.hexdigest(), "size of parts": PART}


def _read_parts(
    parts: list[Any], job: Job, roots: Mapping[str, str], folder: PartFolder, made_with: Mapping[str, Any], workers: int
) -> Iterator[Counts]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what is an error is raised too
    DataContext.get_current().enable_progress_bars = False
    model = ray.put({path.name: path.read_bytes() for path in job.model.iterdir() if path.is_file()})
    workers = min(workers, len(parts))
    done = ray.data.from_arrow(parts).map_batches(
        PartReader,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_args=(job, model, roots, Path.cwd(), folder.everywhere, made_with),
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=BEGUN_A_WORKER),
        num_cpus=PROCESSORS_A_WORKER,
    )
    try:
        for row in done.iter_rows():
            yield Counts(row["images"], row["errors"])
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]  # the lines before are the worker's traceback
        raise BulkError(f"A worker failed: {reason.removeprefix(f'{BulkError.__module__}.BulkError: ')}") from error
