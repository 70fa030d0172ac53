"""Bulk reading by processes of this machine, to a file or standard output."""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from app.bulk.engines import Counts
from app.bulk.formats import check_format, write_output
from app.bulk.job import BulkError, Job, describe
from app.bulk.partial import open_partial, partial_of, read_rows, resume
from app.bulk.paths import check_paths
from app.bulk.run import read_all
from app.inference.images.paths import image_paths
from app.shared.outputs import check_place


class ProcessEngine:
    """Engine that reads images in processes of this machine; see `Engine`.

    With an output, rows are collected in `FILE.partial` until all are read. Without one, rows are printed, and errors
    go to standard error.
    """

    def __init__(self, paths: Sequence[str], output: Path | None, *, workers: int, force: bool, restart: bool) -> None:
        """Prepare to read, with the options of the command line."""
        self._paths, self._output = paths, output
        self._workers, self._force, self._restart = workers, force, restart

    def check(self) -> None:
        """Check that the paths can be read and the output can be written; see `Engine`."""
        if output := self._output:
            check_format(output)
            check_place(output, "--output")
            if output.exists() and not self._force and not partial_of(output).exists():
                raise BulkError(f"{output} already exists; choose another --output, or replace it with --force.")
        for path in self._paths:
            if "://" in path:
                raise BulkError(f"{path}: URLs need --engine ray.")
        check_paths(self._paths)

    def read(self, job: Job) -> Generator[Counts, None, None]:
        """Read all images; see `Engine`."""
        paths = image_paths(self._paths)
        if self._output is None:
            yield from self._read_to(_print, job, paths)
            return
        partial = partial_of(self._output)
        with open_partial(partial) as file:
            if self._restart:
                file.truncate(0)
            images, errors = resume(partial, describe(job), paths)
            yield Counts(images, errors, before=images)

            def write(rows: bytes) -> None:
                file.write(rows)
                file.flush()

            yield from self._read_to(write, job, paths)
            write_output(self._output, job.columns, read_rows(partial))
            partial.unlink()

    def _read_to(self, write: Callable[[bytes], None], job: Job, paths: Iterator[str]) -> Iterator[Counts]:
        with closing(read_all(job, paths, self._workers)) as chunks:
            for chunk in chunks:
                write(chunk.rows)
                if job.layout == "tabs":
                    sys.stderr.writelines(f"{line}\n" for line in chunk.errors)
                yield Counts(chunk.images, len(chunk.errors))


def _print(rows: bytes) -> None:
    sys.stdout.buffer.write(rows)
    sys.stdout.buffer.flush()
