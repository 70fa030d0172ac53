"""Trains a network: the model, the loss, the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages, encode_labels
from training.fitting.batches import Batches
from training.fitting.callbacks import (
    EVALUATION_BATCH,
    AugmentationRamp,
    Averages,
    BestWeights,
    Checkpoint,
    Logs,
    ValidationRates,
)
from training.fitting.checkpoints import load_variables, read_state
from training.fitting.config import TrainingConfig
from training.fitting.run import RunFolder
from training.fitting.schedules import SCHEDULES
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

    @property
    def best(self) -> Logs:
        """What the best epoch came to."""
        return self.history[self.best_epoch - 1]


class CtcLoss(keras.losses.Loss):
    """The CTC loss of logits (batch, steps, classes) for labels (batch, length) padded with the blank, or empty.

    Given sparse labels, TensorFlow computes it in one kernel, faster than what `keras.ops.ctc_loss`
    puts together from many small operations.
    """

    def __init__(self, blank_index: int) -> None:
        super().__init__(name="ctc")
        self.blank_index = blank_index

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image: minus the logarithm of its label's probability."""
        shape, blank = tf.shape(y_pred), self.blank_index
        y_true = tf.cast(y_true, tf.int32)
        empty = tf.reduce_all(y_true == blank, axis=1)
        # The kernel takes no empty label: such an image is given any, and its loss is not used.
        labelled = tf.where(empty[:, tf.newaxis], tf.one_hot(0, tf.shape(y_true)[1], 0 if blank else 1, blank), y_true)
        places = tf.where(labelled != blank)
        labels = tf.SparseTensor(places, tf.gather_nd(labelled, places), tf.shape(labelled, tf.int64))
        steps = tf.fill(shape[:1], shape[1])
        loss = tf.nn.ctc_loss(labels, y_pred, None, steps, logits_time_major=False, blank_index=blank)
        return tf.where(empty, -tf.reduce_sum(tf.nn.log_softmax(y_pred)[:, :, blank], axis=1), loss)


def build_network(config: TrainingConfig, classes: int, *, bfloat16: bool = False) -> keras.Model:
    """Return an untrained network that puts out logits (batch, steps, classes).

    Args:
        config: of the training.
        classes: how many.
        bfloat16: whether its layers compute in 16 bits; its weights keep 32.
    """
    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    width = None if config.keep_proportions else config.width
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if bfloat16 else "float32")
    try:
        return get_architecture(config.architecture).build((config.height, width, config.channels), classes)
    finally:
        keras.config.set_dtype_policy(before)


def output_steps(network: keras.Model, config: TrainingConfig) -> int:
    """Return the output steps of an image as wide as the input."""
    steps: int = network.compute_output_shape((1, config.height, config.width, config.channels))[1]
    return steps


def start_network(config: TrainingConfig, codec: CtcCodec, run: RunFolder) -> keras.Model:
    """Return a network to be trained, with the weights that it starts from if the run does not go on.

    Raises:
        StartError: the weights cannot be used.
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
) -> FitResult:
    """Train a network, going on where the run's checkpoint is, if it has one.

    Args:
        model: with the weights to start from; see `start_network`.
        config: how.
        run: where checkpoints, logs and the best weights go.
        batches: to train on.
        validation: chooses the best epoch.
        codec: vocabulary and blank.
        on_epoch: is called with the logs of every epoch.

    Raises:
        KeyboardInterrupt: the training was interrupted before the first epoch was done.
    """
    model.compile(_optimizer(config, batches.steps), CtcLoss(codec.blank_index), jit_compile=False)
    model.optimizer.build(model.trainable_variables)

    best = BestWeights(run.best_weights)
    scheduled = _callbacks_of_schedule(config)
    checkpoint = Checkpoint(run.checkpoint, run.history_csv, batches, best, scheduled)
    first_epoch = checkpoint.restore(model) if run.checkpoint.exists() else 0
    averages = [Averages()] if config.averaging else []
    callbacks = [
        *averages,
        ValidationRates(validation, codec),
        AugmentationRamp(batches, config.epochs),
        best,
        *averages,
        *scheduled,
        keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
        checkpoint,
        keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: on_epoch(checkpoint.history[-1])),
    ]
    interrupted = False
    if first_epoch < config.epochs:
        try:
            model.fit(
                _dataset(batches, model.input.shape),
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
    # Another one, as what is exported computes in 32 bits, and Keras cannot predict with what a generator has trained.
    return best_of(run, build_network(config, codec.classes), interrupted=interrupted)


def best_of(run: RunFolder, model: keras.Model, *, interrupted: bool) -> FitResult:
    """Return a network with the best weights of a run, and what the run's checkpoint says of them.

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


def _dataset(batches: Batches, shape: tuple[int | None, ...]) -> Any:
    signature = (tf.TensorSpec(shape, tf.uint8), tf.TensorSpec((None, None), tf.int32))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(batches.steps)).prefetch(4)


def _optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.Optimizer:
    rate: Any = config.learning_rate
    if config.schedule in SCHEDULES:
        rate = SCHEDULES[config.schedule](config.learning_rate, steps_per_epoch * config.epochs)
    averaging = {"use_ema": True, "ema_momentum": config.averaging} if config.averaging else {}
    return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay, **averaging)
