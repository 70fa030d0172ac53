"""Import of TensorFlow, quickly and without its log output."""

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.shared.memory import keep_large_buffers
from app.shared.processes import end_with_parent
from app.shared.streams import stderr_silenced


def load_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow, suppress messages that none of its settings suppress, and keep the memory that it frees.

    It uses at most this many threads; if None, it chooses.
    """
    keep_large_buffers()
    with stderr_silenced(), objects_kept():
        import tensorflow as tf
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


@contextmanager
def objects_kept() -> Iterator[None]:
    """Search no objects for garbage that the block creates, neither in the block nor later.

    TensorFlow creates a million: a fifth of its import, and most of every later collection.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # once: an earlier training may have left garbage
            gc.freeze()
        if enabled:
            gc.enable()


def start_worker(threads: int) -> None:
    """Prepare a worker process for training; only its parent handles Ctrl-C and stops workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    load_tensorflow(threads)


def help_training(threads: int, *arguments: Any) -> None:
    """Run the second process of a training; see `training.fitting.parallel.train_along`."""
    start_worker(threads)
    from training.fitting.parallel import train_along  # imports TensorFlow, so only after silencing it

    train_along(*arguments)
