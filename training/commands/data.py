"""Commands for data: download, validate, convert, draw."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.shared.outputs import check_place
from training.commands.common import (
    ArchitectureName,
    Data,
    Height,
    Images,
    JsonFile,
    LabelsFrom,
    Width,
    check_data,
    err,
    fail,
    make_config,
    open_data,
    out,
)
from training.commands.progress import BYTES, progress_bar
from training.fitting.backend import load_tensorflow


def download(
    output: Annotated[Path, typer.Option(help="Folder to create.")] = Path("datasets/captcha_images_v2"),
    url: Annotated[
        str | None, typer.Option(help="URL of another zip archive.", show_default="the tutorial's data set")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="Expected SHA-256 of the archive.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Network timeout in seconds.")] = 30,
) -> None:
    """Download the tutorial's 1040 captchas, or another archive; verify and unpack it."""
    from training.data.download import DEFAULT_URL
    from training.data.download import download as fetch

    with progress_bar(err, BYTES) as bar:
        count, already_present = fetch(
            output,
            url=url or DEFAULT_URL,
            sha256=sha256,
            timeout=timeout,
            on_progress=lambda received, total: bar.update(bar.task_ids[0], completed=received, total=total),
        )
    found = "were already present" if already_present else "downloaded and verified"
    out.print(f"{count} images {found} in {output}")


def validate(
    data: Data,
    images: Images = None,
    labels_from: LabelsFrom = None,
    architecture: ArchitectureName = None,
    width: Width = None,
    height: Height = None,
    json_file: JsonFile = None,
) -> None:
    """Check images and labels before training, and print how the labels were found."""
    if json_file is not None:
        check_place(json_file, "--json")
    samples = open_data(data, images, labels_from).samples
    load_tensorflow()  # takes seconds: errors in the layout are reported first
    config = make_config(samples, architecture=architecture, width=width, height=height)
    from training.fitting.network import build_network, output_steps

    check_data(samples, output_steps(build_network(config, classes=2), config), json_file)


def convert(
    sources: Annotated[
        list[Path], typer.Argument(metavar="DATA", help="Folders of labelled images, or lists of them.")
    ],
    output: Annotated[Path, typer.Option(help="CSV file to write.", show_default=False)],
    images: Images = None,
    labels_from: LabelsFrom = None,
    lower: Annotated[bool, typer.Option("--lower", help="Convert all labels to lower case.")] = False,
) -> None:
    """Convert labelled images of any layout to one CSV file with the columns path,label.

    Paths are relative to the CSV file's folder. If the data is divided into train, val and test, the column split keeps
    that.
    """
    from training.data.dataset import write_csv

    if output.exists():
        fail(f"{output} already exists; choose another --output.")
    check_place(output, "--output")
    samples = [sample for source in sources for sample in open_data(source, images, labels_from).samples]
    written = [
        replace(
            sample,
            path=Path(os.path.relpath(sample.path, output.parent)),
            label=sample.label.lower() if lower else sample.label,
        )
        for sample in samples
    ]
    write_csv(written, output)
    out.print(f"[green]written:[/] {output}, {len(samples):,} labels")


def draw(
    output: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
) -> None:
    """Draw captchas like the tutorial's, named after their labels, to try things out."""
    from training.drawing.draw import draw_folder

    draw_folder(output, count, seed)
    out.print(f"{count} images drawn in {output}")
