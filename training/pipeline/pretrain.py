"""Trains the weights that other trainings start from, on images that this package draws."""

from collections.abc import Callable
from pathlib import Path

from app.inference.decoding.ctc import CtcCodec
from training.drawing.styles import HEIGHT, STYLED_ALPHABET, WIDTH, draw_images
from training.fitting.callbacks import Logs
from training.fitting.config import NO_START, resolve_config
from training.fitting.fit import FitResult, fit
from training.fitting.run import RunFolder, RunState
from training.fitting.start import save_start

VALIDATION_IMAGES = 1_000
BATCH_SIZE = 32


def pretraining_state(command: str, architecture: str | None, images: int, epochs: int, output: Path) -> RunState:
    """How weights to start from are trained; see `RunState`."""
    options = {
        "architecture": architecture,
        "width": WIDTH,
        "height": HEIGHT,
        "epochs": epochs,
        "batch_size": BATCH_SIZE,
        "init": NO_START,
    }
    return RunState(
        command=command,
        data=f"{images} drawn images",
        data_sha256="",
        output=str(output),
        vocab=STYLED_ALPHABET,
        config=resolve_config(images, options),
    )


def pretrain(run: RunFolder, images: int, destination: Path, on_epoch: Callable[[Logs], None]) -> FitResult:
    """Train on drawn images, from the run's start or its checkpoint, and write the weights.

    Args:
        run: its state says how to train.
        images: how many are drawn to train on.
        destination: the file to write; see `training.fitting.start.save_start`.
        on_epoch: is called with the logs of every epoch.

    Raises:
        KeyboardInterrupt: interrupted; nothing was written, and calling it again goes on.
    """
    state = run.read_state()
    train = draw_images(images, seed=state.config.seed)
    validation = draw_images(min(VALIDATION_IMAGES, images), seed=state.config.seed + 1)
    result = fit(state.config, run, train, validation, CtcCodec(state.vocab), on_epoch)
    if result.interrupted:
        raise KeyboardInterrupt
    save_start(destination, state.config.architecture, state.vocab, result.model)
    run.write_state(state.model_copy(update={"finished": True}))
    return result
