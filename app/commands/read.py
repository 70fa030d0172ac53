"""`python -m app read`: images to a table, without a server."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from app.bulk.formats import check_format, write_output
from app.bulk.job import BulkError, Job, describe, find_model
from app.bulk.partial import go_on, open_partial, partial_of, read_rows
from app.bulk.paths import check_paths
from app.bulk.run import read_all
from app.commands.common import WRONG_USAGE, ModelStore, settings_or_exit
from app.shared.cluster import ClusterError, Engine, check_ray
from app.shared.cpus import available_cpus
from app.shared.image_paths import image_paths
from app.shared.suggestions import did_you_mean

SOME_ERRORS, INTERRUPTED = 1, 130


@dataclass
class Run:
    """A reading under way, and what it has come to."""

    job: Job
    arguments: list[str]
    workers: int | None
    """None is one a processor, of the cluster if there is one."""
    images: int = 0
    errors: int = 0
    before: int = 0
    """Images that an interrupted run had read."""
    started: float = field(default_factory=time.perf_counter)

    def rate(self) -> float:
        """Images a second, by this run."""
        return (self.images - self.before) / (time.perf_counter() - self.started)

    def summary(self) -> str:
        """A line for people."""
        before = f" ({self.before:,} of them before)" if self.before else ""
        seconds = time.perf_counter() - self.started
        errors = f"{self.errors:,} error{'' if self.errors == 1 else 's'}"
        read = f"{self.images - self.errors:,} read, {errors}{before}"
        return f"{read}; {self.rate():,.0f} images/s, {seconds:.1f} s"


def read(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Images, folders of images, or quoted globs like 'scans/**/*.png'."),
    ],
    output: Annotated[
        str | None,
        typer.Option(help="The table to write: FILE.csv, FILE.jsonl or FILE.parquet; with Ray, a folder or its URL."),
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    model: Annotated[str | None, typer.Option(help="The model.  [default: OCR_DEFAULT_MODEL]")] = None,
    model_version: Annotated[str | None, typer.Option(help="Its version.  [default: the newest]")] = None,
    model_store: ModelStore = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Say of each text whether it is as sure as this.")
    ] = None,
    length: Annotated[int | None, typer.Option(min=1, help="How many characters each text has.")] = None,
    charset: Annotated[str | None, typer.Option(help="The only characters that texts may have.")] = None,
    pattern: Annotated[str | None, typer.Option(help="A regular expression that each whole text matches.")] = None,
    alternatives: Annotated[int, typer.Option(min=0, max=20, help="How many of the most probable texts to list.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read.  [default: one a processor]")] = None,
    engine: Annotated[
        Engine,
        typer.Option(help="Processes of this machine, or Ray, on the cluster of RAY_ADDRESS if there is one."),
    ] = Engine.PROCESSES,
    force: Annotated[bool, typer.Option("--force", help="Replace an output that is there.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Do not go on where an interrupted run was.")] = False,
) -> None:
    """Read images from files, folders and globs, without a server.

    Prints path, text and confidence with tabs between, and errors on standard error; or writes a table with
    --output, into which errors go too. Of folders, all .png, .jpg, .jpeg and .webp files are read. With --output,
    an interrupted command goes on where it was when it is given again: until all is read, the rows are in
    FILE.partial.

    With --engine ray, paths may also be URLs of S3, Google Cloud Storage or Azure, and so may --output, which becomes
    a folder of Parquet files.

    The exit status is 0 if all images could be read, 1 if some could not or the reading failed midway, 2 if the
    command or a setting is wrong and nothing was read, 130 if it was interrupted.
    """
    # A stopped container or a closed session ends a reading as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = settings_or_exit(model_store)
    try:
        if engine == Engine.RAY:
            _check_for_ray(paths, output, force=force, restart=restart)
        else:
            _check_output(None if output is None else Path(output), json_lines, alternatives, force)
            _check_paths(paths)
        job = Job(
            model=find_model(settings.model_store, model or settings.default_model, model_version),
            max_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_side=settings.max_side,
            layout="json" if json_lines or output else "tabs",
            length=length,
            charset=charset,
            pattern=pattern,
            alternatives=alternatives,
            min_confidence=min_confidence,
        )
    except (BulkError, ClusterError) as error:
        _fail(error, WRONG_USAGE)
    run = Run(job, paths, workers)
    with _ending(run, goes_on=output is not None):
        if output is None:
            _read_to(_print, run, image_paths(paths))
        elif engine == Engine.RAY:
            _read_on_ray(output, run, restart)
        else:
            _read_to_file(Path(output), run, restart)


def _check_for_ray(paths: list[str], output: str | None, *, force: bool, restart: bool) -> None:
    check_ray()
    if output is None:
        raise BulkError("--engine ray needs --output, the folder or URL to write Parquet files to.")
    from app.bulk.filesystems import check_arguments
    from app.bulk.parts import PartFolder

    PartFolder(output).check(force=force, restart=restart)
    check_arguments(paths)


def _check_paths(paths: list[str]) -> None:
    for path in paths:
        if "://" in path:
            raise BulkError(f"{path}: URLs are read with --engine ray.")
    check_paths(paths)


def _check_output(output: Path | None, json_lines: bool, alternatives: int, force: bool) -> None:
    if output is None:
        if alternatives and not json_lines:
            raise BulkError("--alternatives needs --json or --output.")
        return
    if json_lines:
        raise BulkError("--json is for standard output; of --output, the ending of the file's name decides.")
    check_format(output)
    if output.is_dir() or not output.parent.is_dir():
        what = f"{output} is a folder" if output.is_dir() else f"There is no folder {output.parent}"
        raise BulkError(f"{what}; --output names the file to write.{did_you_mean(output.parent)}")
    if output.exists() and not force and not partial_of(output).exists():
        raise BulkError(f"{output} exists already; name another --output, or replace it with --force.")


@contextmanager
def _ending(run: Run, *, goes_on: bool) -> Iterator[None]:
    """Say how a reading went, and end with the status for that."""
    try:
        yield
    except BrokenPipeError:
        raise  # who reads the lines has enough of them: typer ends the command without a word
    except (BulkError, ClusterError, OSError) as error:
        _fail(error, SOME_ERRORS if run.images > run.before else WRONG_USAGE)
    except KeyboardInterrupt:
        again = "; the same command goes on where it was" if goes_on else ""
        sys.stderr.write(f"interrupted after {run.images:,} images{again}\n")
        raise typer.Exit(INTERRUPTED) from None
    sys.stderr.write(f"{run.summary()}\n")
    raise typer.Exit(SOME_ERRORS if run.errors else 0)


def _read_on_ray(output: str, run: Run, restart: bool) -> None:
    """Read on Ray, whose workers write the rows, and count and show what they have done."""
    from app.bulk.parts import PartFolder
    from app.bulk.ray_engine import read_on_ray

    done = read_on_ray(run.job, run.arguments, PartFolder(output), workers=run.workers, restart=restart)
    with _progress(run, None, shown=sys.stderr.isatty()) as show, closing(done):
        for counts in done:
            run.images += counts.images
            run.errors += counts.errors
            run.before += counts.before
            show()


def _read_to_file(output: Path, run: Run, restart: bool) -> None:
    """Add the rows that `FILE.partial` lacks, and make FILE of it."""
    partial = partial_of(output)
    paths = image_paths(run.arguments)
    with open_partial(partial) as file:
        if restart:
            file.truncate(0)
        run.before, run.errors = go_on(partial, describe(run.job), paths)
        run.images = run.before

        def write(rows: bytes) -> None:
            file.write(rows)
            file.flush()

        _read_to(write, run, paths)
        write_output(output, run.job.columns, read_rows(partial))
        partial.unlink()


def _print(rows: bytes) -> None:
    sys.stdout.buffer.write(rows)
    sys.stdout.buffer.flush()


def _read_to(write: Callable[[bytes], None], run: Run, paths: Iterator[str]) -> None:
    """Read images, and write, count and show them chunk by chunk."""
    bar_disturbs = write is _print and sys.stdout.isatty()
    with (
        _progress(run, image_paths(run.arguments), shown=sys.stderr.isatty() and not bar_disturbs) as show,
        closing(read_all(run.job, paths, run.workers or available_cpus())) as chunks,
    ):
        for chunk in chunks:
            write(chunk.rows)
            if run.job.layout == "tabs":
                sys.stderr.writelines(f"{line}\n" for line in chunk.errors)
            run.images += chunk.images
            run.errors += len(chunk.errors)
            show()


@contextmanager
def _progress(run: Run, paths: Iterator[str] | None, *, shown: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error that vanishes at the end; what is returned brings it up to date.

    Args:
        run: what it shows.
        paths: all images, to be counted; None where that would take too long.
        shown: whether there is a bar at all.
    """
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        total = None if paths is None else sum(1 for _ in paths)
        task = bar.add_task("", total=total, completed=run.images)
        yield lambda: bar.update(task, completed=run.images, description=f"{run.rate():,.0f} images/s")


def _fail(error: Exception, status: int) -> NoReturn:
    coloured = False if os.environ.get("NO_COLOR") else None  # None: where it is a terminal
    typer.echo(f"{typer.style('error:', fg='red')} {error}", err=True, color=coloured)
    raise typer.Exit(status)
