"""Getting data and looking it over: download, validate, draw."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.common import (
    ArchitectureName,
    Data,
    Height,
    Images,
    JsonFile,
    Width,
    check_data,
    check_json_file,
    err,
    fail,
    make_config,
    out,
    read_data,
)
from training.commands.progress import download_progress
from training.fitting.backend import load_tensorflow


def download(
    output: Annotated[Path, typer.Option(help="The folder to make.")] = Path("datasets/captcha_images_v2"),
    url: Annotated[
        str | None, typer.Option(help="A zip archive of your own.", show_default="the tutorial's data set")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="The SHA-256 that the archive must have.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that the server may stay silent.")] = 30,
) -> None:
    """Fetch the tutorial's 1040 captchas, or an archive of your own, check it and unpack it."""
    from training.data.download import DEFAULT_URL, DownloadError
    from training.data.download import download as fetch

    try:
        with download_progress(err) as bar:
            report = fetch(
                output,
                url=url or DEFAULT_URL,
                sha256=sha256,
                timeout=timeout,
                on_progress=lambda received, total: bar.update(bar.task_ids[0], completed=received, total=total),
            )
    except DownloadError as error:
        fail(error)
    found = "were there already" if report.already_present else "downloaded and checked"
    out.print(f"{report.images} images {found} in {report.destination}")


def validate(
    data: Data,
    images: Images = None,
    architecture: ArchitectureName = None,
    width: Width = None,
    height: Height = None,
    json_file: JsonFile = None,
) -> None:
    """Look data over before training: unreadable images, wrong labels, rare characters, duplicates."""
    check_json_file(json_file)
    load_tensorflow()
    samples = read_data(data, images)
    config = make_config(samples, architecture=architecture, width=width, height=height)
    check_data(samples, config, json_file)


def draw(
    output: Annotated[Path, typer.Option(help="The folder to fill.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Draw captchas in the style of the tutorial's, named by their labels: to try things out."""
    from training.drawing.draw import draw_folder

    try:
        draw_folder(output, count, seed=seed)
    except (ValueError, OSError) as error:
        fail(error)
    out.print(f"{count} images drawn in {output}")
