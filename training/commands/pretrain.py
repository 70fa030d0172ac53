"""Command that trains the general model: pretrain."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.shared.command_line import typed
from app.shared.places import GENERAL, model_store, runs
from training.commands.common import check_writable, fail, out, resumable
from training.commands.progress import training_progress
from training.fitting.backend import load_tensorflow

DEFAULT_IMAGES = 800_000


def pretrain(
    output: Annotated[
        Path | None,
        typer.Option(help="Model folder to create.", show_default="model_store/general/YYYYMMDDHHMM"),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="File for the weights that trainings start from.", show_default="runs/pretrain/weights.npz"),
    ] = None,
    fonts: Annotated[list[Path] | None, typer.Option(help="Folder of additional typefaces; can be repeated.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Number of images to draw and train on.")] = DEFAULT_IMAGES,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes that draw.")] = 1,
    init: Annotated[
        str,
        typer.Option(help="Starting weights: none, shipped, a weights file or a run folder."),
    ] = "none",
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints and logs.", show_default="runs/pretrain")
    ] = None,
) -> None:
    """Train the general model and new starting weights on images drawn in all installed typefaces.

    The same command resumes an interrupted run.
    """
    load_tensorflow()
    from training.drawing.texts import ALPHABET
    from training.drawing.typefaces import find_typefaces
    from training.fitting.run import RunFolder
    from training.pipeline.pretrain import pretrain as run_pretraining
    from training.pipeline.pretrain import pretraining_state

    run_dir = run_dir or runs() / "pretrain"
    weights = weights or run_dir / "weights.npz"
    run = RunFolder(run_dir)
    version = datetime.now(UTC).strftime("%Y%m%d%H%M")
    output_folder = output or model_store() / GENERAL / version
    others = "choose other locations with --output, --weights and --run-dir"
    check_writable(output_folder, weights, run_dir, instead=others)
    typefaces = find_typefaces(ALPHABET, fonts or ())
    out.print(f"{len(typefaces)} typefaces found")
    state = pretraining_state(typed("training"), images, typefaces, output_folder, init)
    if run.state_file.exists():
        before = run.read_state()
        if before.data_sha256 != state.data_sha256:
            fail(f"{run_dir} was started with other typefaces; install those, or choose another --run-dir.")
        kept = {"seconds": before.seconds, "output": before.output if output is None else str(output)}
        state = state.model_copy(update=kept)
    run_dir.mkdir(parents=True, exist_ok=True)
    weights.parent.mkdir(parents=True, exist_ok=True)  # fail now, not after the training
    run.write_state(state)
    with (
        resumable(run_dir, "the same command resumes."),
        training_progress(out, state.config.epochs, run.epochs_done()) as on_epoch,
    ):
        result = run_pretraining(run, typefaces, processes, weights, on_epoch)
    wer = result.history[result.best_epoch - 1]["val_wer"]
    out.print(f"{1 - wer:.1%} of the validation words are right")
    out.print(f"[green]written:[/] {state.output} and {weights}")
