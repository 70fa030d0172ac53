"""Trains a network: the model, the loss, the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages, encode_labels
from training.fitting.callbacks import (
    EVALUATION_BATCH,
    AugmentationRamp,
    BestWeights,
    Checkpoint,
    Logs,
    OneCycle,
    TrainingBatches,
    ValidationRates,
)
from training.fitting.checkpoints import load_variables, read_state
from training.fitting.config import TrainingConfig
from training.fitting.run import RunFolder
from training.fitting.start import load_start
from training.networks import get_architecture


@dataclass(frozen=True)
class FitResult:
    """A network with its best weights, and how it came to them.

    Attributes:
        model: puts out logits.
        history: one entry an epoch: loss, val_loss, val_cer, val_wer, learning_rate …
        best_epoch: the epoch of the weights, from 1.
        interrupted: whether Ctrl-C ended the training.
    """

    model: keras.Model
    history: list[Logs]
    best_epoch: int
    interrupted: bool


class CtcLoss(keras.losses.Loss):
    """The CTC loss of logits (batch, steps, classes) for labels (batch, length) padded with the blank.

    Given sparse labels, TensorFlow computes it in one kernel, several times faster than what `keras.ops.ctc_loss`
    puts together from many small operations.
    """

    def __init__(self, blank_index: int) -> None:
        super().__init__(name="ctc")
        self.blank_index = blank_index

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image: minus the logarithm of its label's probability."""
        places = tf.where(y_true != self.blank_index)
        values = tf.cast(tf.gather_nd(y_true, places), tf.int32)
        labels = tf.SparseTensor(places, values, tf.shape(y_true, tf.int64))
        steps = tf.fill(tf.shape(y_pred)[:1], y_pred.shape[1])
        return tf.nn.ctc_loss(labels, y_pred, None, steps, logits_time_major=False, blank_index=self.blank_index)


def build_network(config: TrainingConfig, classes: int) -> keras.Model:
    """An untrained network that puts out logits (batch, steps, classes)."""
    keras.utils.set_random_seed(config.seed)
    return get_architecture(config.architecture).build((config.height, config.width, config.channels), classes)


def fit(
    config: TrainingConfig,
    run: RunFolder,
    train: LabelledImages,
    validation: LabelledImages,
    codec: CtcCodec,
    on_epoch: Callable[[Logs], None],
) -> FitResult:
    """Train a network, going on where the run's checkpoint is, if it has one.

    Args:
        config: how.
        run: where checkpoints, logs and the best weights go.
        train: is augmented.
        validation: is not; chooses the best epoch.
        codec: vocabulary and blank.
        on_epoch: is called with the logs of every epoch.

    Raises:
        KeyboardInterrupt: the training was interrupted before the first epoch was done.
        StartError: the weights to start from cannot be used.
    """
    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    model = build_network(config, codec.classes)
    if not run.checkpoint.exists():
        load_start(config.init, config.architecture, model, codec)
    batches = TrainingBatches(train.images, encode_labels(train.labels, codec), config.batch_size, config.seed)
    steps = config.steps_per_epoch(len(train.labels))
    model.compile(_optimizer(config, steps), CtcLoss(codec.blank_index), jit_compile=False)
    model.optimizer.build(model.trainable_variables)

    best = BestWeights(run.best_weights)
    scheduled = _callbacks_of_schedule(config)
    checkpoint = Checkpoint(run.checkpoint, run.history_csv, batches, best, scheduled)
    first_epoch = checkpoint.restore(model) if run.checkpoint.exists() else 0
    label_length = sum(map(len, train.labels)) / len(train.labels)
    callbacks = [
        ValidationRates(validation, codec),
        AugmentationRamp(batches, label_length, config.epochs),
        best,
        *scheduled,
        keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
        checkpoint,
        keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: on_epoch(checkpoint.history[-1])),
    ]
    interrupted = False
    if first_epoch < config.epochs:
        try:
            model.fit(
                _dataset(batches, steps, train.images.shape[1:]),
                epochs=config.epochs,
                initial_epoch=first_epoch,
                validation_data=(validation.images, encode_labels(validation.labels, codec)),
                validation_batch_size=EVALUATION_BATCH,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        except KeyboardInterrupt:
            if not run.checkpoint.exists():
                raise
            interrupted = True
    return best_of(run, model, interrupted=interrupted)


def best_of(run: RunFolder, model: keras.Model, *, interrupted: bool) -> FitResult:
    """A network with the best weights of a run, and what the run's checkpoint says of them.

    The checkpoint, since an epoch that was interrupted before that was written is trained again.
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


def _dataset(batches: TrainingBatches, steps: int, shape: tuple[int, ...]) -> Any:
    signature = (tf.TensorSpec((None, *shape), tf.uint8), tf.TensorSpec((None, None), tf.int32))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4)


def _optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.Optimizer:
    rate: Any = config.learning_rate
    if config.schedule == "one-cycle":
        rate = OneCycle(config.learning_rate, steps_per_epoch * config.epochs)
    return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
