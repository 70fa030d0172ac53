"""Networks ready for training: layers, loss, optimiser."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.fitting.config import TrainingConfig
from training.fitting.schedules import SCHEDULES
from training.networks import get_architecture

PREDICTION_BATCH = 64

Average = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes the gradients of one process (weights,) and returns their mean over all processes."""


class CtcLoss(keras.losses.Loss):
    """CTC loss of logits (batch, steps, classes) for labels (batch, length), padded with the blank; they may be empty.

    With sparse labels, TensorFlow uses a single kernel, which is faster than the many small operations of
    `keras.ops.ctc_loss`.
    """

    def __init__(self, blank_index: int) -> None:
        super().__init__(name="ctc")
        self.blank_index = blank_index

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image: the negative log probability of its label."""
        shape, blank = tf.shape(y_pred), self.blank_index
        y_true = tf.cast(y_true, tf.int32)
        empty = tf.reduce_all(y_true == blank, axis=1)
        # The kernel rejects empty labels, so such images get a dummy label, and that loss is discarded.
        labelled = tf.where(empty[:, tf.newaxis], tf.one_hot(0, tf.shape(y_true)[1], 0 if blank else 1, blank), y_true)
        places = tf.where(labelled != blank)
        labels = tf.SparseTensor(places, tf.gather_nd(labelled, places), tf.shape(labelled, tf.int64))
        steps = tf.fill(shape[:1], shape[1])
        loss = tf.nn.ctc_loss(labels, y_pred, None, steps, logits_time_major=False, blank_index=blank)
        return tf.where(empty, -tf.reduce_sum(tf.nn.log_softmax(y_pred)[:, :, blank], axis=1), loss)


def build_network(config: TrainingConfig, classes: int, *, bfloat16: bool = False) -> keras.Model:
    """Return an untrained network that outputs logits (batch, steps, classes).

    Args:
        config: settings of the training.
        classes: number of classes.
        bfloat16: whether layers compute in bfloat16; weights stay in 32 bits.
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


def predict(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities (images, steps, classes) of a network that outputs logits."""
    logits = network.predict(images, batch_size=PREDICTION_BATCH, verbose=0)
    probabilities: NDArray[np.float32] = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    return probabilities


def output_steps(network: keras.Model, config: TrainingConfig) -> int:
    """Return the number of output steps for an image as wide as the input."""
    steps: int = network.compute_output_shape((1, config.height, config.width, config.channels))[1]
    return steps


def compile_network(
    network: keras.Model, config: TrainingConfig, steps_per_epoch: int, average: Average | None = None
) -> None:
    """Set a network's loss and optimiser, and create the optimiser's variables.

    Args:
        network: outputs logits.
        config: settings of the training.
        steps_per_epoch: batches per epoch.
        average: averages gradients over processes; None if one process trains alone.
    """
    rate: Any = config.learning_rate
    if config.schedule in SCHEDULES:
        rate = SCHEDULES[config.schedule](config.learning_rate, steps_per_epoch * config.epochs)
    averaging = {"use_ema": True, "ema_momentum": config.averaging} if config.averaging else {}
    optimizer = JoinedAdamW(rate, **averaging)
    optimizer.average, optimizer.decay = average, config.weight_decay
    blank_index = network.output.shape[-1] - 1
    network.compile(optimizer, CtcLoss(blank_index), jit_compile=False)
    optimizer.build(network.trainable_variables)


class JoinedAdamW(keras.optimizers.Adam):
    """AdamW on gradients averaged over several processes.

    It equals Keras's AdamW, which computes the scheduled rate anew for each weight: a quarter of all operations.
    """

    average: Average | None = None
    decay: float = 0.0

    def apply(self, grads: list[Any], trainable_variables: Any = None) -> Any:
        """Update the weights, equally in all processes."""
        if self.average is not None:
            shapes = [gradient.shape for gradient in grads]
            together = tf.concat([tf.reshape(gradient, [-1]) for gradient in grads], axis=0)
            mean = tf.ensure_shape(tf.numpy_function(self.average, [together], tf.float32), together.shape)
            parts = tf.split(mean, [shape.num_elements() for shape in shapes])
            grads = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        rate = tf.convert_to_tensor(self.learning_rate)
        for variable in trainable_variables:
            self.assign_sub(variable, variable * self.decay * rate)
        return super().apply(grads, trainable_variables)
