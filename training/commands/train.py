"""Commands that train and export: train, export."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.inference.models.folders import VALID_NAME
from app.shared.command_line import pasteable, typed
from app.shared.cpus import available_cpus
from app.shared.files import error_in_words
from app.shared.places import GENERAL, model_store, runs
from app.shared.suggestions import did_you_mean
from training.commands.common import (
    DATA_HELP,
    INTERRUPTED,
    ArchitectureName,
    Epochs,
    Height,
    Images,
    Init,
    LabelsFrom,
    Width,
    check_writable,
    err,
    events_on_stdout,
    fail,
    make_config,
    model_folder,
    open_data,
    out,
    prepare_network,
    print_evaluation,
    resumable,
)
from training.commands.progress import training_progress
from training.data.alphabet import unseen_characters
from training.data.dataset import Sample, divide_samples, vocabulary_of
from training.fitting.backend import load_tensorflow


def train(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help=DATA_HELP)] = None,
    output: Annotated[
        Path | None, typer.Option(help="Model folder to create.", show_default="model_store/NAME/YYYYMMDDHHMM")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Model name in the model store.", show_default="the data folder's name, if new")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--model-store", envvar="OCR_MODEL_STORE", help="Folder of models.", show_default="model_store"),
    ] = None,
    images: Images = None,
    labels_from: LabelsFrom = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Folder of additional images without labels, for pseudo-labelling.")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="The labels are values of sums, such as 8 for an image of 10-2=.")
    ] = False,
    architecture: ArchitectureName = None,
    width: Width = None,
    height: Height = None,
    init: Init = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop characters that the --init run knows and the labels lack.")
    ] = False,
    epochs: Epochs = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per step.", show_default="the architecture's")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate.", show_default="the architecture's")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after this many epochs without a better CER.", show_default="never"),
    ] = None,
    validation_fraction: Annotated[
        float | None, typer.Option(help="Fraction of images for validation.", show_default="0.1")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Random seed of split, weights and augmentation.", show_default="0")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints and logs.", show_default="runs/NAME/YYYYMMDDHHMM")
    ] = None,
    events: Annotated[
        bool,
        typer.Option("--events", help="Write epochs and errors to standard output as JSON lines."),
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Write a grid of augmented images to this PNG file instead of training.")
    ] = None,
) -> None:
    """Train a network and write its model folder.

    Ctrl-C stops the training early and exports the best weights so far; --resume continues it.
    """
    if events:
        context.with_resource(events_on_stdout())
    load_tensorflow(_threads()[0])
    options = {
        "architecture": architecture or _architecture_of(init),
        "width": width,
        "height": height,
        "init": init,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
        "validation_fraction": validation_fraction,
        "seed": seed,
    }
    if resume:
        _train(run_dir or _unfinished(output, name), options)
        return
    if data is None:
        fail("specify what to train on: --data FOLDER, or --data FILE with a list of images and labels.")
    if preview is not None:
        from training.fitting.preview import draw_preview

        samples = open_data(data, images, labels_from).samples
        draw_preview(samples, make_config(samples, **options), preview)
        out.print(f"augmented images written to {preview}")
        return
    if unlabelled is not None and not unlabelled.is_dir():
        fail(f"--unlabelled {unlabelled}: no such folder.{did_you_mean(unlabelled)}")
    output, run_dir = _places(output, run_dir, store, data, name)
    check_writable(output, run_dir, instead="choose other folders with --output and --run-dir")
    samples = open_data(data, images, labels_from).samples
    if values:
        samples = _find_texts(samples, store or model_store())
    if init is not None and not forget:
        _check_not_forgotten(samples, Path(init), data)
    _train(run_dir, {}, *_start(samples, data, unlabelled, options, output, run_dir))


def export(
    run: Annotated[Path, typer.Argument(help="Run folder, such as runs/captcha/202611231200.")],
    output: Annotated[Path, typer.Option(help="Model folder to create.", show_default=False)],
    crossval: Annotated[
        list[Path] | None, typer.Option(help="A crossval.json to quote in the model card; can be repeated.")
    ] = None,
) -> None:
    """Export the best weights of a run to a model folder."""
    load_tensorflow()
    from training.fitting.run import RunFolder
    from training.pipeline.train import export_run

    try:
        reports = [json.loads(path.read_text(encoding="utf-8")) for path in crossval or ()]
        export_run(RunFolder(run), output, reports)
    except OSError as error:
        fail(f"{error_in_words(error, output)}.{did_you_mean(error.filename or run)}")
    except ValueError as error:  # not JSON
        fail(error)
    out.print(f"[green]written:[/] {output}")


def _places(
    output: Path | None, run_dir: Path | None, store: Path | None, data: Path, name: str | None
) -> tuple[Path, Path]:
    """Return the model folder and the run folder, defaults filled in."""
    if output is None:
        version = datetime.now(UTC).strftime("%Y%m%d%H%M")
        store = store or model_store()
        output = store / (_new_name(data, store) if name is None else _checked(name)) / version
    return output, run_dir or _run_of(output)


def _run_of(output: Path) -> Path:
    return runs() / output.absolute().parent.name / output.absolute().name


def _unfinished(output: Path | None, name: str | None) -> Path:
    """Return the folder of the run to resume."""
    from training.fitting.run import newest_unfinished

    return _run_of(output) if output else newest_unfinished(runs(), "*" if name is None else _checked(name)).path


def _find_texts(samples: list[Sample], store: Path) -> list[Sample]:
    """Return the samples with the text of each image instead of its value, read by the store's model `general`."""
    from training.data.values import with_texts

    reader = model_folder(store / GENERAL)
    found = with_texts(samples, reader)
    out.print(f"{reader} finds matching sums in {len(found):,} of {len(samples):,} images; the others are left out")
    return found


def _architecture_of(init: str | None) -> str | None:
    """Return the architecture of the run to start from; None if `init` is no run."""
    from training.fitting.run import RunError, RunFolder

    try:
        return RunFolder(Path(init)).read_state().config.architecture if init else None
    except RunError:
        return None  # checked later


def _checked(name: str) -> str:
    if not VALID_NAME.fullmatch(name):
        fail(f'--name "{name}": use ASCII letters and digits, ".", "_" and "-", without spaces or slashes.')
    return name


def _new_name(data: Path, store: Path) -> str:
    """Return the data folder's name; exit with status 1 if a model has it: a new version needs --name."""
    folder = data if data.is_dir() else data.parent
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).strip("-._")[:64]
    if not name:
        fail("specify the model's name: --name NAME.")
    if (store / name).exists():
        fail(f"{store} already has a model {name}: add a version to it with --name {name}, or choose another --name.")
    out.print(f"the name of the model is {name}; --name changes it")
    return name


def _check_not_forgotten(samples: list[Sample], init: Path, data: Path) -> None:
    """Exit with status 1 if the run to start from knows characters that the labels lack."""
    from training.fitting.run import RunError, RunFolder

    run = RunFolder(init)
    try:
        lost = "".join(sorted(set(run.read_state().vocab) - set(vocabulary_of(samples))))
    except RunError:
        return  # not a run; checked later
    if lost:
        both = pasteable("training", "convert", data, run.train_csv, run.val_csv, "--output", "all.csv")
        fail(
            f"the labels lack {len(lost)} characters that {init} reads ({lost}); a model trained on these images "
            f"alone forgets them. List the images of both and train on those:\n  {both}\n"
            "or drop the characters with --forget."
        )


def _start(
    samples: list[Sample],
    data: Path | None,
    unlabelled: Path | None,
    options: dict[str, Any],
    output: Path,
    run_dir: Path,
) -> tuple[Any, Any]:
    """Check the data and create the folder of a new run; return its images and its network."""
    from training.fitting.run import RunFolder, RunState
    from training.pipeline.run_data import RunData
    from training.pipeline.train import start_run

    if output.exists():
        fail(f"{output} already exists; choose another --output.")
    fraction = options["validation_fraction"]
    train_part, validation = divide_samples(samples, 0.1 if fraction is None else fraction, options["seed"] or 0)
    config = make_config(train_part, **options)
    known = [*train_part, *validation]
    vocab = _alphabet(known, config)
    run_data = RunData(train_part, validation, config)
    network = prepare_network(samples, vocab, config, run_data.add)
    state = RunState(
        command=typed("training"),
        data=str(data),
        data_sha256=run_data.sha256,
        output=str(output),
        vocab=vocab,
        config=config,
        unlabelled=None if unlabelled is None else str(unlabelled),
    )
    start_run(RunFolder(run_dir), state, train_part, validation)
    return run_data, network


def _alphabet(known: list[Sample], config: Any) -> str:
    """Return the characters of the labels and, if drawn pictures teach them, others of their alphabets."""
    characters = vocabulary_of(known)
    unseen = "".join(unseen_characters([sample.label for sample in known])) if config.drawn else ""
    if unseen:
        out.print(f"the labels are few, so their images may show other characters; these are also read: {unseen}")
    return "".join(sorted(characters + unseen))


def _train(run_dir: Path, options: dict[str, Any], data: Any = None, network: Any = None) -> None:
    """Run a training prepared by `_start`, or resume an interrupted one."""
    from training.fitting.run import RunFolder
    from training.pipeline.train import run_training

    run = RunFolder(run_dir)
    again = pasteable("training", "train", "--resume", "--run-dir", run_dir)
    state = run.read_state()
    _check_same(state.config, options)
    done = run.epochs_done()
    out.print(
        f"training {state.config.architecture} for {state.config.epochs} epochs, {done} of them done; logs in {run_dir}"
    )
    with (
        resumable(run_dir, f"nothing is exported yet; resume with: {again}"),
        training_progress(out, state.config.epochs, done) as on_epoch,
    ):
        metrics = run_training(run, on_epoch, data, network, _threads()[1])
    if gained := run.read_state().gained:
        out.print(gained)
    print_evaluation(metrics["validation"])
    out.print(f"[green]written:[/] {state.output}")
    if metrics["training"]["interrupted"]:
        err.print(f"interrupted; exported the best weights so far. Resume with: {again}")
        raise typer.Exit(INTERRUPTED)


def _threads() -> tuple[int | None, int | None]:
    """Return the threads of a training's two processes; (None, None) if one process trains alone."""
    cpus = available_cpus()
    return (cpus - cpus // 2, cpus // 2) if cpus > 1 else (None, None)


def _check_same(config: Any, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if value is not None and value != getattr(config, key):
            fail(f"--{key.replace('_', '-')} {value}: the run started with {getattr(config, key)}; omit the option.")
