"""Import of TensorFlow, quickly and without its log output."""

import sys
from typing import Any

from app.shared.memory import disable_garbage_collection, freeze_objects, keep_large_buffers
from app.shared.processes import end_with_parent
from app.shared.streams import stderr_silenced


def load_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow, suppress messages that none of its settings suppress, and keep the memory that it frees.

    It uses at most this many threads; if None, it chooses. If it is imported already, it keeps its threads.
    """
    keep_large_buffers()
    if "tensorflow" in sys.modules:
        return
    disable_garbage_collection()
    with stderr_silenced():
        import tensorflow as tf
    freeze_objects()  # TensorFlow creates a million
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def start_worker(threads: int) -> None:
    """Prepare a worker process for training."""
    end_with_parent()
    load_tensorflow(threads)


def help_training(threads: int, *arguments: Any) -> None:
    """Run the second process of a training; see `training.fitting.parallel.train_along`."""
    start_worker(threads)
    from training.fitting.parallel import train_along  # imports TensorFlow, so only after silencing it

    train_along(*arguments)
