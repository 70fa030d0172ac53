"""The training loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages
from training.fitting.batches import Batches
from training.fitting.callbacks import (
    AugmentationRamp,
    AveragedWeights,
    BestWeights,
    Checkpoint,
    Logs,
    ValidationMetrics,
)
from training.fitting.checkpoints import load_variables, read_state
from training.fitting.config import TrainingConfig
from training.fitting.interrupts import interrupts_deferred
from training.fitting.network import build_network, compile_network
from training.fitting.parallel import dataset_of, helped
from training.fitting.run import RunFolder
from training.fitting.start import load_start


@dataclass(frozen=True)
class FitResult:
    """A network with its best weights, and the history of its training.

    Attributes:
        model: outputs logits.
        history: one entry per epoch: loss, val_loss, val_cer, val_wer, learning_rate …
        best_epoch: the epoch of the weights, from 1.
        interrupted: whether Ctrl-C ended the training.
    """

    model: keras.Model
    history: list[Logs]
    best_epoch: int
    interrupted: bool

    @property
    def best(self) -> Logs:
        """The history entry of the best epoch."""
        return self.history[self.best_epoch - 1]


def start_network(config: TrainingConfig, codec: CtcCodec, run: RunFolder) -> keras.Model:
    """Return an untrained network, with its initial weights unless the run is resumed.

    Raises:
        StartError: the initial weights cannot be used.
    """
    network = build_network(config, codec.classes, bfloat16=config.bfloat16)
    if not run.checkpoint.exists():
        load_start(config.init, config.architecture, network, codec)
    return network


def fit(
    model: keras.Model,
    config: TrainingConfig,
    run: RunFolder,
    batches: Batches,
    validation: LabelledImages,
    codec: CtcCodec,
    on_epoch: Callable[[Logs], None],
    helper_threads: int | None = None,
) -> FitResult:
    """Train a network; resume from the run's checkpoint if there is one.

    Args:
        model: with its initial weights; see `start_network`.
        config: settings of the training.
        run: folder for checkpoints, logs and the best weights.
        batches: training batches.
        validation: images that select the best epoch.
        codec: vocabulary and blank.
        on_epoch: called with the logs of every epoch.
        helper_threads: threads of a second process that does half of the work; None: no second process.

    Raises:
        HelperError: the second process has ended.
        KeyboardInterrupt: the training was interrupted during the first epoch.
    """
    best = BestWeights(run.best_weights, len(validation.labels))
    scheduled = _callbacks_of_schedule(config)
    checkpoint = Checkpoint(run.checkpoint, run.history_csv, batches, best, scheduled)
    averages = [AveragedWeights()] if config.averaging else []
    callbacks = [
        *averages,
        ValidationMetrics(validation, codec),
        AugmentationRamp(batches, config.epochs),
        best,
        *averages,
        *scheduled,
        keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
        checkpoint,
        keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: on_epoch(checkpoint.history[-1])),
    ]
    interrupted = False
    if run.epochs_done() < config.epochs:
        try:
            with helped(model, config, batches.steps, helper_threads) as helper:
                compile_network(model, config, batches.steps, helper.average if helper else None)
                first_epoch = checkpoint.restore(model) if run.checkpoint.exists() else 0
                if helper:
                    helper.begin(model)
                dataset = dataset_of(helper.divide(batches) if helper else batches, model)
                with interrupts_deferred() as raise_if_interrupted:
                    after_batch = keras.callbacks.LambdaCallback(
                        on_train_batch_end=lambda *_, **__: raise_if_interrupted()
                    )
                    model.fit(
                        dataset.apply(tf.data.experimental.assert_cardinality(batches.steps)),
                        epochs=config.epochs,
                        initial_epoch=first_epoch,
                        callbacks=[*callbacks, after_batch],
                        shuffle=False,
                        verbose=0,
                    )
        except KeyboardInterrupt:
            if not run.checkpoint.exists():
                raise
            interrupted = True
    # Build a new model: the export needs 32 bits, and Keras cannot predict with a model that a generator has trained.
    return best_of(run, build_network(config, codec.classes), interrupted=interrupted)


def keeping_time(run: RunFolder, on_epoch: Callable[[Logs], None]) -> Callable[[Logs], None]:
    """Return a callback that also writes the run's duration after every epoch, so that a killed training keeps it."""
    before, started = run.read_state().seconds, time.monotonic()

    def after_epoch(logs: Logs) -> None:
        run.write_state(run.read_state().model_copy(update={"seconds": before + time.monotonic() - started}))
        on_epoch(logs)

    return after_epoch


def best_of(run: RunFolder, model: keras.Model, *, interrupted: bool) -> FitResult:
    """Return a network with the best weights of a run, and the history from the run's checkpoint.

    An epoch that was interrupted before its checkpoint was written does not count; it will be trained again.
    """
    load_variables(run.best_weights, model.variables)
    progress = read_state(run.checkpoint)
    return FitResult(model, progress["history"], progress["best_epoch"] + 1, interrupted)


def _callbacks_of_schedule(config: TrainingConfig) -> list[keras.callbacks.Callback]:
    callbacks = []
    if config.schedule == "plateau":
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau("val_cer", mode="min", factor=0.9, patience=20, min_delta=1e-10)
        )
    if config.patience is not None:
        callbacks.append(keras.callbacks.EarlyStopping("val_cer", mode="min", patience=config.patience))
    return callbacks
