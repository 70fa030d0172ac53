"""TensorFlow, imported quietly."""

import signal
from typing import Any

from app.shared.memory import keep_large_buffers
from app.shared.processes import end_with_parent
from app.shared.streams import stderr_silenced


def load_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow without its greetings, which no setting of it silences, and keep the memory that it frees.

    Args:
        threads: how many it may use; None lets it choose.
    """
    keep_large_buffers()
    with stderr_silenced():
        import tensorflow as tf
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def start_worker(threads: int) -> None:
    """Prepare a process that trains for another, which alone answers to Ctrl-C and ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    load_tensorflow(threads)


def help_training(threads: int, *arguments: Any) -> None:
    """Be the second process of a training; see `training.fitting.parallel.train_along`."""
    start_worker(threads)
    from training.fitting.parallel import train_along  # brings TensorFlow, which must be quiet before

    train_along(*arguments)
