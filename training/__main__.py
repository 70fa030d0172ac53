"""The commands: `python -m training COMMAND`."""

import json
import os
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.inference.images import ImageError
from app.inference.model import ModelError
from training.dataset import DataError, Sample, data_checksum, read_samples, split_samples, vocabulary_of
from training.files import write_atomically
from training.progress import counting_progress, download_progress, training_progress

INTERRUPTED = 130
MODEL_STORE, RUNS, DATASETS = Path("model_store"), Path("runs"), Path("datasets")

app = typer.Typer(
    help="From labelled images to a model that the service reads.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)

Data = Annotated[
    Path,
    typer.Option(help="A folder of images named by their labels, or a CSV file of path,label.", show_default=False),
]
Images = Annotated[Path | None, typer.Option(help="Where the images of a CSV file lie now, if they were moved.")]
ArchitectureName = Annotated[str | None, typer.Option(help="The network: conv_ctc (default) or resnet_blstm.")]
Width = Annotated[int | None, typer.Option(help="Of the network's input, in pixels.  [default: 200]")]
Height = Annotated[int | None, typer.Option(help="Of the network's input, in pixels.  [default: 50]")]


def fail(message: object) -> NoReturn:
    """Print what is wrong and end the command with status 1."""
    err.print(f"[red]error:[/] {escape(str(message))}")
    raise typer.Exit(1)


def load_tensorflow() -> None:
    """Import TensorFlow without its greetings, which no setting of it silences."""
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


@app.command()
def download(
    output: Annotated[Path, typer.Option(help="The folder to make.")] = DATASETS / "captcha_images_v2",
    url: Annotated[
        str | None, typer.Option(help="A zip archive of your own.  [default: the tutorial's data set]")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="The SHA-256 that the archive must have.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that the server may stay silent.")] = 30,
) -> None:
    """Fetch the tutorial's 1040 captchas, or an archive of your own, check it and unpack it."""
    from training.download import DEFAULT_URL, DownloadError
    from training.download import download as fetch

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


@app.command()
def validate(
    data: Data,
    images: Images = None,
    architecture: ArchitectureName = None,
    width: Width = None,
    height: Height = None,
) -> None:
    """Look data over before training: unreadable images, wrong labels, rare characters, duplicates."""
    load_tensorflow()
    samples = _read(data, images)
    config = _config(len(samples), architecture=architecture, width=width, height=height)
    _check_data(samples, config)


@app.command()
def train(
    data: Annotated[
        Path | None,
        typer.Option(help="A folder of images named by their labels, or a CSV file of path,label."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The model folder to make.  [default: model_store/NAME/YYYYMMDDHHMM]")
    ] = None,
    name: Annotated[str, typer.Option(help="The model's name in the model store.")] = "captcha",
    images: Images = None,
    architecture: ArchitectureName = None,
    width: Width = None,
    height: Height = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="At most so many.  [default: by the number of images]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images a step.  [default: the architecture's]")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest of the schedule.  [default: the architecture's]")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Stop early after so many epochs without a better CER.  [default: never]"),
    ] = None,
    validation_fraction: Annotated[
        float | None, typer.Option(help="The part that is not trained on.  [default: 0.1]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of split, weights and augmentation.  [default: 0]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    run_dir: Annotated[
        Path | None, typer.Option(help="For checkpoints and logs.  [default: runs/NAME/YYYYMMDDHHMM]")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Draw a grid of augmented images into this PNG, and train nothing.")
    ] = None,
) -> None:
    """Train a network and write its model folder.

    Ctrl-C ends the training early; the best weights so far are exported, and --resume goes on later.
    """
    load_tensorflow()
    options = {
        "architecture": architecture,
        "width": width,
        "height": height,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
        "validation_fraction": validation_fraction,
        "seed": seed,
    }
    if data is None and not resume:
        fail("say what to train on: --data FOLDER, or --data FILE.csv with the columns path,label.")
    if preview is not None:
        _draw_preview(_read(data, images), options, preview)
        return
    output, run_dir = _places(output, run_dir, name, resume)
    if not resume:
        _start(_read(data, images), data, options, output, run_dir)
    _train(run_dir, options if resume else {})


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="The model folder.", show_default=False)],
    data: Data,
    images: Images = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line an image.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
) -> None:
    """Read labelled images with a model and count what is wrong."""
    from training.evaluate import Evaluation, Line
    from training.evaluate import evaluate as read_all

    samples = _read(data, images)

    def show(line: Line) -> None:
        bar.advance(bar.task_ids[0])
        if verbose:
            mark = "ok   " if line.right else "WRONG"
            what = line.error or f"read {line.prediction}"
            out.print(escape(f"{mark} {line.path}  label {line.label}  {what}  CER {line.cer:.2%}"))

    try:
        with counting_progress(err, len(samples)) as bar:
            result: Evaluation = read_all(model, samples, show)
    except ModelError as error:
        fail(f"{model}: {error}")
    _print_evaluation(result.as_json())
    if json_file is not None:
        with write_atomically(json_file) as file:
            json.dump(result.as_json(), file, indent=1, ensure_ascii=False)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a run, such as runs/captcha/202611231200.")],
    output: Annotated[Path, typer.Option(help="The model folder to make.", show_default=False)],
) -> None:
    """Write a model folder from the best weights of a run."""
    load_tensorflow()
    from training.export import ExportError
    from training.run import RunError, RunFolder
    from training.train import export_run

    try:
        export_run(RunFolder(run), output)
    except (DataError, ExportError, RunError, OSError) as error:
        fail(error)
    out.print(f"[green]written:[/] {output}")


@app.command()
def draw(
    output: Annotated[Path, typer.Option(help="The folder to fill.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Draw captchas in the style of the tutorial's, named by their labels: to try things out."""
    from training.draw import draw_folder

    try:
        draw_folder(output, count, seed=seed)
    except (ValueError, OSError) as error:
        fail(error)
    out.print(f"{count} images drawn in {output}")


def _read(data: Path | None, images: Path | None) -> list[Sample]:
    if data is None:
        fail("say which images: --data FOLDER, or --data FILE.csv with the columns path,label.")
    try:
        return read_samples(data, images)
    except (DataError, OSError) as error:
        fail(error)


def _config(images: int, **options: Any) -> Any:
    from training.architectures import architecture_names
    from training.config import resolve_config

    try:
        return resolve_config(images, options)
    except KeyError as error:
        fail(f"there is no architecture {error}; there are {', '.join(architecture_names())}.")
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}, not {first['input']}.")


def _check_data(samples: list[Sample], config: Any) -> None:
    """Print what `validate` finds; end with status 1 on errors."""
    from training.fit import build_network
    from training.validation import validate_samples

    steps = build_network(config, classes=2).output_shape[1]
    report = validate_samples(samples, max_steps=steps)
    lengths = ", ".join(f"{length} ({count}×)" for length, count in report.label_lengths.items())
    sizes = ", ".join(f"{w}×{h} ({count}×)" for (w, h), count in list(report.sizes.items())[:5])
    out.print(f"images      {report.images}")
    out.print(f"characters  {len(report.vocabulary)}: {escape(report.vocabulary)}")
    out.print(f"lengths     {lengths}")
    out.print(f"sizes       {sizes}" + (f" and {len(report.sizes) - 5} more" if len(report.sizes) > 5 else ""))
    for warning in report.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}")
    for error in report.errors:
        err.print(f"[red]error:[/] {escape(error)}")
    if report.errors:
        fail(f"{len(report.errors)} errors in the data; nothing was trained.")
    out.print("[green]the data is sound[/]")


def _draw_preview(samples: list[Sample], options: dict[str, Any], path: Path) -> None:
    from training.preview import draw_preview

    config = _config(len(samples), **options)
    try:
        draw_preview(samples, config, path)
    except (ImageError, OSError) as error:
        fail(error)
    out.print(f"augmented images drawn in {path}")


def _places(output: Path | None, run_dir: Path | None, name: str, resume: bool) -> tuple[Path, Path]:
    """The model folder and the folder of the run, with the defaults filled in."""
    from training.run import RunError, newest_unfinished

    if output is not None and run_dir is None:
        run_dir = RUNS / output.absolute().parent.name / output.absolute().name
    if resume and run_dir is None:
        try:
            run_dir = newest_unfinished(RUNS / name).path
        except RunError as error:
            fail(error)
    version = datetime.now(UTC).strftime("%Y%m%d%H%M")
    return output or MODEL_STORE / name / version, run_dir or RUNS / name / version


def _start(samples: list[Sample], data: Path | None, options: dict[str, Any], output: Path, run_dir: Path) -> None:
    """Check the data and make the folder of a new run."""
    from training.run import RunError, RunFolder, RunState
    from training.train import start_run

    if output.exists():
        fail(f"{output} exists already; name another --output.")
    fraction = options["validation_fraction"]
    try:
        train_part, validation = split_samples(samples, 0.1 if fraction is None else fraction, options["seed"] or 0)
    except DataError as error:
        fail(error)
    config = _config(len(train_part), **options)
    _check_data(samples, config)
    state = RunState(
        command=shlex.join(["python", "-m", "training", *sys.argv[1:]]),
        data=str(data),
        data_sha256=data_checksum(samples),
        output=str(output),
        vocab=vocabulary_of(samples),
        config=config,
    )
    try:
        start_run(RunFolder(run_dir), state, train_part, validation)
    except (RunError, OSError) as error:
        fail(error)


def _train(run_dir: Path, options: dict[str, Any]) -> None:
    """Run a training that `_start` prepared or that was interrupted."""
    from training.export import ExportError
    from training.run import RunError, RunFolder
    from training.train import run_training

    # A stopped container or a closed session ends a training as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = RunFolder(run_dir)
    again = f"python -m training train --resume --run-dir {shlex.quote(str(run_dir))}"
    try:
        state = run.read_state()
        _check_same(state.config, options)
        done = run.epochs_done()
        out.print(
            f"training {state.config.architecture} for {state.config.epochs} epochs, {done} of them done; "
            f"logs in {run_dir}"
        )
        with training_progress(out, state.config.epochs, done) as progress:
            result = run_training(run, progress.on_epoch)
    except (DataError, ExportError, FileExistsError, RunError) as error:
        fail(error)
    except KeyboardInterrupt:
        err.print(f"interrupted, nothing exported; go on with: {again}")
        raise typer.Exit(INTERRUPTED) from None
    _print_evaluation(result.metrics["validation"])
    out.print(f"[green]written:[/] {state.output}")
    if result.interrupted:
        err.print(f"interrupted; these are the best weights so far. Go on with: {again}")
        raise typer.Exit(INTERRUPTED)


def _check_same(config: Any, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if value is not None and value != getattr(config, key):
            fail(f"--{key.replace('_', '-')} {value}: the run was started with {getattr(config, key)}; leave it out.")


def _print_evaluation(result: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("words right", f"{result['words_right']} of {result['images']}")
    table.add_row("CER", f"{result['cer']:.2%}")
    table.add_row("WER", f"{result['wer']:.2%}")
    worst = ", ".join(
        f"{pair['label'] or 'nothing'} as {pair['read'] or 'nothing'} ({pair['count']}×)"
        for pair in result["confusions"][:8]
    )
    if worst:
        table.add_row("read wrong", escape(worst))
    out.print(table)


if __name__ == "__main__":
    app()
