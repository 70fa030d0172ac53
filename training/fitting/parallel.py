"""Training with two processes: each computes the gradients of half of each batch, and both apply the mean.

Synchronous data parallelism as in Goyal et al., "Accurate, Large Minibatch SGD", 2017; batch norm uses the statistics
of each half. TensorFlow's threads make little use of a second processor in networks this small.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.shared.errors import UserError
from app.shared.processes import interrupts_blocked
from training.fitting.backend import help_training
from training.fitting.batches import Batch, Batches
from training.fitting.config import TrainingConfig
from training.fitting.network import build_network, compile_network
from training.fitting.schedules import SCHEDULES
from training.fitting.shared_mean import SharedMean

MIN_STEPS = 500
"""Shorter trainings end before a second process has started."""
CLOSING = 5.0
"""Maximum seconds until a process whose pipe is closed has ended."""


class HelperError(UserError):
    """The second process of a training has ended."""


class Helper:
    """Handle of the second process, used by the first."""

    def __init__(self, config: TrainingConfig, classes: int, weights: int, steps_per_epoch: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._mean = SharedMean(context, weights)
        ours, theirs = context.Pipe()
        self._connection: Connection = ours
        self._process = context.Process(
            target=help_training,
            args=(threads, config.model_dump(), classes, steps_per_epoch, theirs, self._mean),
            daemon=True,
        )
        with interrupts_blocked():
            self._process.start()
        theirs.close()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def average(self, gradients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of the gradients of both processes."""
        return self._mean.of(0, gradients)

    def begin(self, network: keras.Model) -> None:
        """Start training from a compiled network's weights and optimiser state."""
        variables = [*network.variables, *network.optimizer.variables]
        self._connection.send([keras.ops.convert_to_numpy(variable) for variable in variables])

    def divide(self, batches: Batches) -> Callable[[], Iterator[Batch]]:
        """Return a function that yields the first process's half of each batch and sends the other half.

        The halves interleave, as labelled images precede drawn ones. A single image is in both.
        """

        def halves() -> Iterator[Batch]:
            for images, labels in batches():
                second = slice(1 if len(images) > 1 else 0, None, 2)
                self._connection.send((images[second], labels[second]))
                yield images[::2], labels[::2]

        return halves

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended; wait up to `CLOSING` seconds for it."""
        self._watcher.join(CLOSING)
        return not self._watcher.is_alive()

    def end(self) -> None:
        """Stop the process."""
        self._process.terminate()
        self._watcher.join()

    def _watch(self) -> None:
        self._process.join()
        self._mean.release()


@contextmanager
def helped(
    network: keras.Model, config: TrainingConfig, steps_per_epoch: int, threads: int | None
) -> Iterator[Helper | None]:
    """Start a second process with this many threads if that pays off; yield None if the first trains alone.

    Raises:
        HelperError: the second process ended before the block did.
    """
    # The first process alone knows the validation results that the other schedules follow.
    if threads is None or config.schedule not in SCHEDULES or config.epochs * steps_per_epoch < MIN_STEPS:
        yield None
        return
    weights = sum(variable.shape.num_elements() for variable in network.trainable_variables)
    helper = Helper(config, network.output.shape[-1], weights, steps_per_epoch, threads)
    try:
        yield helper
    except (tf.errors.OpError, OSError) as error:
        if not helper.has_ended:
            raise
        raise HelperError(
            "The second process of the training has ended, perhaps because memory was full. "
            "Progress is saved: continue with --resume."
        ) from error
    finally:
        helper.end()


def train_along(
    config: dict[str, Any], classes: int, steps_per_epoch: int, connection: Connection, mean: SharedMean
) -> None:
    """Train in step with the first process, on the batches that it sends, until it stops this process.

    Args:
        config: a `TrainingConfig` as a dictionary.
        classes: number of classes.
        steps_per_epoch: batches per epoch.
        connection: receives the initial variables, then batches.
        mean: averages the gradients.
    """
    settings = TrainingConfig.model_validate(config)
    network = build_network(settings, classes, bfloat16=settings.bfloat16)
    compile_network(network, settings, steps_per_epoch, lambda gradients: mean.of(1, gradients))
    for variable, value in zip([*network.variables, *network.optimizer.variables], connection.recv(), strict=True):
        variable.assign(value)

    def received() -> Iterator[Batch]:
        while True:
            yield connection.recv()

    network.fit(dataset_of(received, network), shuffle=False, verbose=0)


def dataset_of(batches: Callable[[], Iterator[Batch]], network: keras.Model) -> Any:
    """Return batches as a TensorFlow data set for a network."""
    signature = (tf.TensorSpec(network.input.shape, tf.uint8), tf.TensorSpec((None, None), tf.int32))
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(4)
