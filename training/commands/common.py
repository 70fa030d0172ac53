"""Options, output and error handling that the commands share."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryFile
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand

from app.inference.models.folders import version_folders
from app.inference.models.model import MODEL_FILE
from app.shared.errors import UserError
from app.shared.extras import how_to_add
from app.shared.files import error_in_words, write_json
from app.shared.places import MODEL_STORE, working_folder
from app.shared.suggestions import did_you_mean
from training.data.dataset import Sample
from training.data.layouts import Dataset, LayoutName, read_dataset
from training.data.validation import DataReport, OnImage, validate_samples

INTERRUPTED = 130
NEEDED_BYTES = 100 << 20
"""Free disk space that a training needs: checkpoints, logs and the model, some of them twice during replacement."""
MISSING = (
    "this needs the extra `training`, which is not installed: TensorFlow and others, about 2.2 GB on disk; "
    f"{how_to_add('training', 'make install')}"
)

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)

DATA_HELP = "A folder of labelled images, or a list of them; the layout is recognised."
Data = Annotated[Path, typer.Option(help=DATA_HELP, show_default=False)]
Images = Annotated[Path | None, typer.Option(help="Folder of the images of a list, if they were moved.")]
LabelsFrom = Annotated[
    LayoutName | None,
    typer.Option(
        metavar="LAYOUT",
        help=f"Layout of the labels: {', '.join(LayoutName)}.",
        show_default="detected and printed",
    ),
]
ArchitectureName = Annotated[
    str | None,
    typer.Option(
        help="Network: residual_ctc (general), conv_ctc (small) or resnet_blstm (the tutorial's).",
        show_default="residual_ctc",
    ),
]
Width = Annotated[int | None, typer.Option(help="Input width in pixels.", show_default="fits the images")]
Height = Annotated[int | None, typer.Option(help="Input height in pixels.", show_default="the architecture's")]
Init = Annotated[
    str | None,
    typer.Option(
        help="Starting weights: shipped, none, a run folder, or a weights file written by pretrain.",
        show_default="shipped, if the architecture has them",
    ),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Maximum number of epochs.", show_default="from the number of images")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")]


class TrainingCommand(TyperCommand):
    """A command that reports missing packages and user errors as one message instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        if find_spec("tensorflow") is None:
            fail(MISSING)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the pipe has closed it; typer exits silently
        except (UserError, OSError) as error:
            fail(error)


@contextmanager
def resumable(place: Path, continue_with: str) -> Iterator[None]:
    """If the block is interrupted, or cannot write to a place, say how to continue, and exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # containers and sessions end with it instead of Ctrl-C
    try:
        yield
    except OSError as error:
        fail(f"{error_in_words(error, place)}; {continue_with}")
    except KeyboardInterrupt:
        err.print(f"interrupted; {continue_with}")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def events_on_stdout() -> Iterator[None]:
    """Write events to standard output as JSON lines, and human-readable output to standard error."""
    out.stderr = True
    try:
        yield
    finally:
        out.stderr = False


def emit(**event: object) -> None:
    """Write an event if `--events` was given."""
    if out.stderr:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


def fail(message: object) -> NoReturn:
    """Print an error and exit with status 1."""
    meant = did_you_mean(message.filename) if isinstance(message, FileNotFoundError) and message.filename else ""
    said = f"{error_in_words(message)}." if isinstance(message, OSError) else message
    print_error(f"{said}{meant}")
    raise typer.Exit(1)


def print_error(message: str) -> None:
    """Print an error."""
    err.print(f"[red]error:[/] {escape(message)}")
    emit(event="error", message=message)


def check_writable(*folders: Path, instead: str) -> None:
    """Check at the start that the folders can be written to and have free space; exit with status 1 if not."""
    for folder in folders:
        place = next(parent for parent in folder.absolute().parents if parent.exists())
        try:
            with TemporaryFile(dir=place):
                free = disk_usage(place).free
        except OSError as error:
            fail(f"{place} cannot be written to ({error.strerror}); {instead}.")
        if free < NEEDED_BYTES:
            fail(
                f"{place} has {free >> 20:,} MB free; a training needs up to {NEEDED_BYTES >> 20:,} MB. "
                f"Free some space, or {instead}."
            )


def write_json_file(report: dict[str, Any], path: Path | None) -> None:
    """Write a report to the file given by `--json`, if any."""
    if path is not None:
        write_json(report, path)


def model_folder(path: Path) -> Path:
    """Return a model version's folder; given a folder of versions, the newest. Exit with status 1 if it is neither."""
    if not path.is_dir():
        elsewhere = working_folder() != Path()
        kept = f" Models are kept in {working_folder() / MODEL_STORE}." if elsewhere else ""
        fail(f"{path} is not a model folder.{kept}{did_you_mean(path)}")
    if (path / MODEL_FILE).exists():
        return path
    versions = [version for version in version_folders(path) if (version / MODEL_FILE).exists()]
    if not versions:
        fail(f"{path} holds no model: neither it nor its subfolders contain {MODEL_FILE}.")
    out.print(f"the newest version is {versions[0]}")
    return versions[0]


def open_data(data: Path, images: Path | None, labels_from: LayoutName | None) -> Dataset:
    """Return the labelled images of --data and print how they were found."""
    dataset = read_dataset(data, images, labels_from)
    for note in dataset.notes:
        out.print(escape(note))
    return dataset


def make_config(train: list[Sample], **options: Any) -> Any:
    """Return the `TrainingConfig` of the command-line options; exit with status 1 if one is invalid."""
    from training.fitting.config import configure
    from training.networks import architecture_names

    try:
        return configure(train, options)
    except KeyError as error:
        fail(f"unknown architecture {error}; choose one of {', '.join(architecture_names())}.")
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}, not {first['input']}.")


def check_data(
    samples: list[Sample], steps: int, json_file: Path | None = None, on_image: OnImage | None = None
) -> None:
    """Print the findings of `validate_samples` and write them to `json_file` if given; exit with status 1 on errors."""
    report = validate_samples(samples, steps, on_image)
    write_json_file(report.as_json(), json_file)
    print_data_report(report)
    if report.errors:
        fail(f"errors in the data: {len(report.errors)}")
    if report.warnings:
        out.print(f"[yellow]no errors, but warnings: {len(report.warnings)}[/]")
    else:
        out.print("[green]no errors in the data[/]")


def prepare_network(samples: list[Sample], vocab: str, config: Any, on_image: OnImage | None = None) -> Any:
    """Check the data; return an untrained network with its initial weights.

    `samples` are all images, `vocab` the characters to read. For `on_image` see `validate_samples`.
    """
    from app.inference.decoding.ctc import CtcCodec
    from training.fitting.network import build_network, output_steps
    from training.fitting.start import load_start

    codec = CtcCodec(vocab)
    network = build_network(config, codec.classes, bfloat16=config.bfloat16)
    check_data(samples, output_steps(network, config), on_image=on_image)
    load_start(config.init, config.architecture, network, codec)
    return network


def print_data_report(report: DataReport) -> None:
    """Print a `DataReport`."""
    lengths = ", ".join(f"{length} ({count}×)" for length, count in report.label_lengths.items())
    sizes = ", ".join(f"{w}×{h} ({count}×)" for (w, h), count in list(report.sizes.items())[:5])
    out.print(f"images      {report.images}")
    out.print(f"characters  {len(report.vocabulary)}: {escape(report.vocabulary)}")
    out.print(f"lengths     {lengths}")
    out.print(f"sizes       {sizes}" + (f" and {len(report.sizes) - 5} more" if len(report.sizes) > 5 else ""))
    for warning in report.warnings:
        out.print(f"[yellow]warning:[/] {escape(str(warning))}")
    for error in report.errors:
        print_error(str(error))


def print_evaluation(result: dict[str, Any], right: str = "words right") -> None:
    """Print the JSON of an `Evaluation`; `right` names what was counted as right."""
    table = Table(show_header=False, box=None)
    table.add_row(right, f"{result['words_right']} of {result['images']}")
    table.add_row("CER", f"{result['cer']:.2%}")
    table.add_row("WER", f"{result['wer']:.2%}")
    worst = ", ".join(
        f"{pair['label'] or 'nothing'} as {pair['read'] or 'nothing'} ({pair['count']}×)"
        for pair in result["confusions"][:8]
    )
    if worst:
        table.add_row("read wrong", escape(worst))
    out.print(table)


def print_robustness(rows: list[dict[str, Any]]) -> None:
    """Print the words read right after each change of the images."""
    table = Table("change", "words right", box=None)
    for row in rows:
        table.add_row(row["change"], f"{row['words_right']} of {row['images']}")
    out.print(table)
