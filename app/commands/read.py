"""`python -m app read`: read images into a table, without a server."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from app.bulk.engines import Counts, Engine
from app.bulk.job import BulkError, Job, find_model
from app.commands.common import ModelStore
from app.commands.environment import WRONG_USAGE, settings_or_exit, tell_unknown_variables
from app.inference.decoding.sums import Evaluation
from app.shared.cluster import EngineName
from app.shared.cpus import available_cpus
from app.shared.errors import UserError
from app.shared.files import error_in_words

SOME_ERRORS, INTERRUPTED = 1, 130


@dataclass
class Run:
    """Progress of a reading."""

    images: int = 0
    errors: int = 0
    before: int = 0
    """Images read by an interrupted run."""
    started: float = field(default_factory=time.perf_counter)

    def add(self, counts: Counts) -> None:
        """Add finished images."""
        self.images += counts.images
        self.errors += counts.errors
        self.before += counts.before

    def rate(self) -> float:
        """Return the images per second of this run."""
        return (self.images - self.before) / (time.perf_counter() - self.started)

    @property
    def failed(self) -> int:
        """Return the exit status if the reading fails."""
        return SOME_ERRORS if self.images > self.before else WRONG_USAGE

    def summary(self) -> str:
        """Return a summary line."""
        before = f" ({self.before:,} by an earlier run)" if self.before else ""
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
        typer.Option(help="Table to write: FILE.csv, FILE.jsonl or FILE.parquet; with Ray, a folder or its URL."),
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    model: Annotated[str | None, typer.Option(help="Model name.  [default: OCR_DEFAULT_MODEL]")] = None,
    model_version: Annotated[str | None, typer.Option(help="Model version.  [default: the newest]")] = None,
    model_store: ModelStore = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Report whether each text reaches this confidence.")
    ] = None,
    length: Annotated[int | None, typer.Option(min=1, help="Number of characters in each text.")] = None,
    charset: Annotated[str | None, typer.Option(help="Characters allowed in texts.")] = None,
    pattern: Annotated[str | None, typer.Option(help="Regular expression that the whole text must match.")] = None,
    alternatives: Annotated[int, typer.Option(min=0, max=20, help="Number of most probable texts to list.")] = 0,
    evaluate: Annotated[
        Evaluation | None, typer.Option(help="Compute the value of the sum in each image, such as 10-2=.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes.  [default: one per CPU]")] = None,
    engine: Annotated[
        EngineName,
        typer.Option(help="Local processes, or Ray (on the cluster at RAY_ADDRESS, if set)."),
    ] = EngineName.PROCESSES,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Start over; do not resume an interrupted run.")] = False,
) -> None:
    """Read images from files, folders and globs, without a server.

    Prints path, text and confidence separated by tabs, and errors on standard error. With --output, writes a table
    that includes the errors. In folders, reads files with an image suffix such as .png or .jpg; their content decides
    the format. With --output, the same command resumes an interrupted run, whose rows are in FILE.partial.

    With --engine ray, paths and --output may be URLs of S3, Google Cloud Storage or Azure; the output is a folder of
    Parquet files.

    Exit status: 0 if all images were read; 1 if some were not, or reading failed midway; 2 if the command or a setting
    is wrong and nothing was read; 130 if interrupted.
    """
    from app.inference.images.paths import image_paths

    # Stopping the container or closing the session has the same effect as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = settings_or_exit(model_store)
    tell_unknown_variables()
    try:
        _check_layout(output, json_lines, alternatives)
        reads = _make_engine(engine, paths, output, workers, force=force, restart=restart)
        reads.check()
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
            evaluate=evaluate,
            min_confidence=min_confidence,
        )
    except UserError as error:
        _fail(error, WRONG_USAGE)
    run = Run()
    if skipped := _skipped(paths):
        sys.stderr.write(f"skipped {skipped}\n")
    bar_disturbs = output is None and sys.stdout.isatty()
    counted = None if engine == EngineName.RAY else image_paths(paths)
    with (
        _ending(run, output),
        _progress(run, counted, shown=sys.stderr.isatty() and not bar_disturbs) as show,
        closing(reads.read(job)) as done,
    ):
        for counts in done:
            run.add(counts)
            show()


def _check_layout(output: str | None, json_lines: bool, alternatives: int) -> None:
    if output is None and alternatives and not json_lines:
        raise BulkError("--alternatives needs --json or --output.")
    if output is not None and json_lines:
        raise BulkError("--json is for standard output; with --output, the file's suffix selects the format.")


def _make_engine(
    name: EngineName, paths: list[str], output: str | None, workers: int | None, *, force: bool, restart: bool
) -> Engine:
    if name == EngineName.RAY:
        from app.bulk.engines.ray import RayEngine

        return RayEngine(paths, output, workers=workers, force=force, restart=restart)
    from app.bulk.engines.processes import ProcessEngine

    table = None if output is None else Path(output)
    return ProcessEngine(paths, table, workers=workers or available_cpus(), force=force, restart=restart)


def _skipped(paths: list[str]) -> str:
    """Return a description of the other files in the folders of a command line."""
    from app.inference.images.paths import in_words, other_files

    counts: Counter[str] = Counter()
    for folder in filter(os.path.isdir, paths):
        counts.update(other_files(folder))
    return in_words(dict(counts.most_common()))


@contextmanager
def _ending(run: Run, output: str | None) -> Iterator[None]:
    """Report the result of a reading, and exit with its status."""
    hint = "" if output is None else "; the same command resumes"
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of the pipe has closed it; typer exits silently
    except OSError as error:
        _fail(f"{error_in_words(error, output or 'standard output')}{hint if run.images else ''}.", run.failed)
    except UserError as error:
        _fail(error, run.failed)
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted after {run.images:,} images{hint}\n")
        raise typer.Exit(INTERRUPTED) from None
    sys.stderr.write(f"{run.summary()}\n")
    raise typer.Exit(SOME_ERRORS if run.errors else 0)


@contextmanager
def _progress(run: Run, paths: Iterator[str] | None, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error until the context ends; yield a function that updates it.

    Without the paths of all images, their number is not shown.
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


def _fail(error: object, status: int) -> NoReturn:
    coloured = False if os.environ.get("NO_COLOR") else None  # None: on a terminal only
    typer.echo(f"{typer.style('error:', fg='red')} {error}", err=True, color=coloured)
    raise typer.Exit(status)
