"""What the commands share: options, output, and how they fail."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand

from app.inference.models.folders import version_folders
from app.inference.models.model import MODEL_FILE
from app.shared.errors import UserError
from app.shared.files import error_in_words, write_json
from app.shared.suggestions import did_you_mean
from training.data.dataset import Sample
from training.data.layouts import Dataset, LayoutName, read_dataset

if TYPE_CHECKING:
    from training.data.validation import DataReport, OnImage

INTERRUPTED = 130
NEEDED_BYTES = 100 << 20
"""For the checkpoints and logs of a training and its model, some of them twice while they are replaced."""
MISSING = """\
this needs the extra `training`, which is not installed: TensorFlow and more, about 2.2 GB more on disk. In a checkout,
`make install` brings it; for the installed command, reinstall it with the extra, for instance:
  pipx install --force 'captcha-reader[training]'"""

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)

DATA_HELP = "A folder of labelled images, or a list of them; the layout is recognised."
Data = Annotated[Path, typer.Option(help=DATA_HELP, show_default=False)]
Images = Annotated[Path | None, typer.Option(help="Where the images of a list lie now, if they were moved.")]
LabelsFrom = Annotated[
    LayoutName | None,
    typer.Option(
        metavar="LAYOUT",
        help=f"Where the labels stand: {', '.join(LayoutName)}.",
        show_default="recognised, and said",
    ),
]
ArchitectureName = Annotated[
    str | None,
    typer.Option(
        help="The network: residual_ctc, the general one; conv_ctc, a small one; or resnet_blstm.",
        show_default="residual_ctc",
    ),
]
Width = Annotated[int | None, typer.Option(help="Of the network's input, in pixels.", show_default="as the images")]
Height = Annotated[
    int | None, typer.Option(help="Of the network's input, in pixels.", show_default="the architecture's")
]
Init = Annotated[
    str | None,
    typer.Option(
        help="The weights to start from: shipped, none, the folder of a run, or a file of pretrain.",
        show_default="shipped, where the architecture has them",
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default="by the number of images")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")]


class TrainingCommand(TyperCommand):
    """A command that says what to install where that is missing, and what is wrong where users can put it right."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        if find_spec("tensorflow") is None:
            fail(MISSING)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # who reads the lines has enough of them: typer ends the command without a word
        except (UserError, OSError) as error:
            fail(error)


@contextmanager
def events_on_stdout() -> Iterator[None]:
    """Write events to standard output as JSON lines, and what is for people to standard error."""
    out.stderr = True
    try:
        yield
    finally:
        out.stderr = False


def emit(**event: object) -> None:
    """Write an event, if they are asked for."""
    if out.stderr:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


def fail(message: object) -> NoReturn:
    """Print what is wrong and end the command with status 1."""
    meant = did_you_mean(message.filename) if isinstance(message, FileNotFoundError) and message.filename else ""
    said = f"{error_in_words(message)}." if isinstance(message, OSError) else message
    print_error(f"{said}{meant}")
    raise typer.Exit(1)


def print_error(message: str) -> None:
    """Print what is wrong."""
    err.print(f"[red]error:[/] {escape(message)}")
    emit(event="error", message=message)


def check_writable(*folders: Path, instead: str) -> None:
    """End with status 1 if there is no room, or no right, to write where folders are to be: now, not at the end."""
    for folder in folders:
        place = next(parent for parent in folder.absolute().parents if parent.exists())
        try:
            with TemporaryFile(dir=place):
                free = disk_usage(place).free
        except OSError as error:
            fail(f"{place} cannot be written to ({error.strerror}); {instead}.")
        if free < NEEDED_BYTES:
            fail(
                f"{place} has room for {free >> 20:,} MB, and a training needs up to {NEEDED_BYTES >> 20:,} MB. "
                f"Remove what is not needed there, or {instead}."
            )


def write_json_file(report: dict[str, Any], path: Path | None) -> None:
    """Write what `--json` asks for, if it was given."""
    if path is not None:
        write_json(report, path)


def model_folder(path: Path) -> Path:
    """The folder of a model's version; of a folder of versions, the newest. End with status 1 if it is neither."""
    if not path.is_dir():
        fail(f"{path} is not the folder of a model.{did_you_mean(path)}")
    if (path / MODEL_FILE).exists():
        return path
    versions = [version for version in version_folders(path) if (version / MODEL_FILE).exists()]
    if not versions:
        fail(f"{path} holds no model: there is no {MODEL_FILE} in it, nor in a folder of it.")
    out.print(f"the newest version is {versions[0]}")
    return versions[0]


def read_data(data: Path, images: Path | None, labels_from: LayoutName | None) -> list[Sample]:
    """Return the samples of --data; see `open_data`."""
    return open_data(data, images, labels_from).samples


def open_data(data: Path, images: Path | None, labels_from: LayoutName | None) -> Dataset:
    """Return the labelled images of --data, having said how they were found."""
    dataset = read_dataset(data, images, labels_from)
    for note in dataset.notes:
        out.print(escape(note))
    return dataset


def make_config(train: list[Sample], **options: Any) -> Any:
    """The `TrainingConfig` of the command line's options; end with status 1 if one is wrong."""
    from training.fitting.config import configure
    from training.networks import architecture_names

    try:
        return configure(train, options)
    except KeyError as error:
        fail(f"there is no architecture {error}; there are {', '.join(architecture_names())}.")
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}, not {first['input']}.")


def check_data(
    samples: list[Sample], steps: int, json_file: Path | None = None, on_image: "OnImage | None" = None
) -> None:
    """Print what `validate_samples` finds, and write it to a file if one is given; end with status 1 on errors."""
    from training.data.validation import validate_samples

    report = validate_samples(samples, steps, on_image)
    write_json_file(report.as_json(), json_file)
    print_data_report(report)
    if report.errors:
        fail(f"errors in the data: {len(report.errors)}")
    if report.warnings:
        out.print(f"[yellow]no errors, but warnings: {len(report.warnings)}[/]")
    else:
        out.print("[green]the data is sound[/]")


def prepare_network(samples: list[Sample], known: list[Sample], config: Any, on_image: "OnImage | None" = None) -> Any:
    """Return a network to be trained, having checked the data, and with the weights to start from.

    `samples` are all images, `known` those to train on and to validate by; for `on_image` see `validate_samples`.
    """
    from app.inference.decoding.ctc import CtcCodec
    from training.data.dataset import vocabulary_of
    from training.fitting.network import build_network, output_steps
    from training.fitting.start import load_start

    codec = CtcCodec(vocabulary_of(known))
    network = build_network(config, codec.classes, bfloat16=config.bfloat16)
    check_data(samples, output_steps(network, config), on_image=on_image)
    load_start(config.init, config.architecture, network, codec)
    return network


def print_data_report(report: "DataReport") -> None:
    """Show what `DataReport` holds."""
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
    """Show what `Evaluation.as_json` holds; `right` says what was read."""
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
    """Show the words read right under each change of the images."""
    table = Table("change", "words right", box=None)
    for row in rows:
        table.add_row(row["change"], f"{row['words_right']} of {row['images']}")
    out.print(table)
