"""Commands that evaluate models and labels: evaluate, crossval, suspects."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from app.inference.models.model import ModelError
from app.shared.cluster import EngineName, check_ray
from app.shared.command_line import typed
from app.shared.outputs import check_place
from training.commands.common import (
    ArchitectureName,
    Data,
    Epochs,
    Height,
    Images,
    Init,
    JsonFile,
    LabelsFrom,
    Width,
    check_writable,
    err,
    fail,
    make_config,
    model_folder,
    open_data,
    out,
    prepare_network,
    print_evaluation,
    print_robustness,
    resumable,
    write_json_file,
)
from training.commands.progress import COUNT, progress_bar
from training.data.dataset import TEST, vocabulary_of
from training.fitting.backend import load_tensorflow

if TYPE_CHECKING:
    from training.pipeline.crossval import Part, PartResult

MAX_SUSPECTS = 20
"""Number of suspects printed; the file lists all."""
Folds = Annotated[int, typer.Option(min=2, help="Number of folds.")]
Jobs = Annotated[int, typer.Option(min=1, help="Number of parallel trainings.")]


def evaluate(
    model: Annotated[
        Path, typer.Option(help="Model folder, or the folder of its versions (uses the newest).", show_default=False)
    ],
    data: Data,
    images: Images = None,
    labels_from: LabelsFrom = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line per image.")] = False,
    robustness: Annotated[bool, typer.Option("--robustness", help="Also read distorted copies of the images.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Compare values of sums; the label of a 10-2= is 8 or 10-2=.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Read labelled images with a model and report the errors."""
    from app.inference.reader import Reader
    from training.data.dataset import read_image
    from training.data.values import with_values
    from training.evaluation.evaluate import Evaluation, Line
    from training.evaluation.evaluate import evaluate as read_all
    from training.evaluation.robustness import measure_robustness

    if json_file is not None:
        check_place(json_file, "--json")
    if values and robustness:
        fail("--values cannot be combined with --robustness, which compares texts.")
    model = model_folder(model)
    samples = open_data(data, images, labels_from).samples
    if kept_back := [sample for sample in samples if sample.split == TEST]:
        out.print(f"reading the {len(kept_back):,} images of {TEST}")
        samples = kept_back
    if values:
        samples = with_values(samples)

    def show(line: Line) -> None:
        bar.advance(bar.task_ids[0])
        if verbose:
            mark = "ok   " if line.right else "WRONG"
            what = line.error or f"read {line.prediction}"
            out.print(escape(f"{mark} {line.path}  label {line.label}  {what}  CER {line.cer:.2%}"))

    try:
        with progress_bar(err, COUNT, len(samples)) as bar:
            reader = Reader(model, evaluate="sum" if values else None)
            result: Evaluation = read_all(reader, samples, on_line=show)
    except ModelError as error:
        fail(f"{model}: {error}")
    report = result.as_json()
    print_evaluation(report, "values right" if values else "words right")
    if robustness:
        opened = [sample for sample, line in zip(samples, result.lines, strict=True) if line.error is None]
        pictures, labels = [read_image(sample.path) for sample in opened], [sample.label for sample in opened]
        report["robustness"] = measure_robustness(reader, pictures, labels)
        print_robustness(report["robustness"])
    write_json_file(report, json_file)


def crossval(
    data: Data,
    images: Images = None,
    labels_from: LabelsFrom = None,
    folds: Folds = 10,
    labels: Annotated[
        int | None,
        typer.Option(min=3, help="Instead of folds: train on this many images, test on the rest."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of repetitions, each with another split.")] = 1,
    first: Annotated[int | None, typer.Option(min=1, help="Run only this many of the trainings.")] = None,
    architecture: ArchitectureName = None,
    width: Width = None,
    height: Height = None,
    init: Init = None,
    epochs: Epochs = None,
    jobs: Jobs = 1,
    engine: Annotated[
        EngineName,
        typer.Option(help="Local processes, or Ray (on the cluster at RAY_ADDRESS, if set)."),
    ] = EngineName.PROCESSES,
    output: Annotated[
        Path | None, typer.Option(help="Folder for models and report.", show_default="runs/crossval/…")
    ] = None,
) -> None:
    """Cross-validate: read every image with a model that has not seen it, and write a report.

    The same command resumes an interrupted run.
    """
    if engine == EngineName.RAY:
        check_ray()
    samples = open_data(data, images, labels_from).samples
    load_tensorflow()  # takes seconds: errors in the layout are reported first
    from training.pipeline.crossval import default_folder, fold_parts, label_parts
    from training.pipeline.crossval_report import write_report

    options = {"architecture": architecture, "width": width, "height": height, "init": init, "epochs": epochs}
    # Exits if these cannot be trained on.
    prepare_network(samples, vocabulary_of(samples), make_config(samples, **options))
    parts = label_parts(samples, labels, seeds) if labels is not None else fold_parts(samples, folds, seeds)
    parts = parts[:first]
    kind = {"folds": folds} if labels is None else {"labels": labels}
    folder = output or default_folder(data, samples, kind | options)
    check_writable(folder, instead="choose another folder with --output")

    report = write_report(_cross_validate(parts, folder, options, jobs, engine), folder, typed("training"))
    print_evaluation(report)
    out.print(f"[green]written:[/] {folder}")


def suspects(
    data: Data,
    images: Images = None,
    labels_from: LabelsFrom = None,
    folds: Folds = 5,
    architecture: ArchitectureName = None,
    epochs: Epochs = None,
    jobs: Jobs = 1,
    output: Annotated[
        Path | None, typer.Option(help="CSV file to write.", show_default="runs/crossval/…/suspects.csv")
    ] = None,
) -> None:
    """List labels that are probably wrong, because models that have not seen the image contradict them.

    Most suspicious labels come first. The same command resumes an interrupted run.
    """
    dataset = open_data(data, images, labels_from)
    samples = dataset.samples
    load_tensorflow()
    from training.data.suspects import write_suspects
    from training.labelling.suspects import review_commands
    from training.pipeline.crossval import default_folder, fold_parts
    from training.pipeline.suspects import find_suspects

    options = {"architecture": architecture, "epochs": epochs}
    # Exits if these cannot be trained on.
    prepare_network(samples, vocabulary_of(samples), make_config(samples, **options))
    parts = fold_parts(samples, folds, repeats=1)
    folder = default_folder(data, samples, {"folds": folds} | options)
    check_writable(folder, instead="start the command in another folder")
    if output is not None:
        check_writable(output, instead="choose another file with --output")
    found = find_suspects(_cross_validate(parts, folder, options, jobs, EngineName.PROCESSES))
    for suspect in found[:MAX_SUSPECTS]:
        out.print(escape(f"{suspect.path}  label {suspect.label}  read {suspect.reading}  {suspect.confidence:.1%}"))
    file = output or folder / "suspects.csv"
    write_suspects(found, file)
    out.print(f"{len(found):,} of {len(samples):,} labels are contradicted; [green]written:[/] {file}")
    if found:
        out.print("Review them on the labelling page with:")
        for command in review_commands(file, dataset, data, images, labels_from):
            out.print(f"  {escape(command)}")


def _cross_validate(
    parts: "list[Part]", folder: Path, options: dict[str, Any], jobs: int, engine: EngineName
) -> "list[PartResult]":
    """Return the results of all parts in order, and print each."""
    from training.pipeline.crossval import run_parts
    from training.pipeline.ray_engine import run_parts_on_ray

    run_all = run_parts_on_ray if engine == EngineName.RAY else run_parts
    results: dict[str, PartResult] = {}
    with (
        resumable(folder, "the same command resumes."),
        progress_bar(err, COUNT, len(parts)) as bar,
        closing(run_all(parts, folder, options, jobs)) as done,
    ):
        for result in done:
            results[result.name] = result
            bar.advance(bar.task_ids[0])
            right = f"{result.words_right} of {len(result.lines)}"
            out.print(f"{result.name}: {right} words right, {result.seconds / 60:.1f} minutes of training")
    return [results[part.name] for part in parts]
