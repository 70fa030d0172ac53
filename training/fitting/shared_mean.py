"""Numbers that two processes compute, and their mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PROCESSES = 2


class SharedMean:
    """The mean of what two processes compute, for both: each waits for the other."""

    def __init__(self, context: Any, size: int) -> None:
        """Make room for so many numbers of each."""
        self._values = context.RawArray("f", PROCESSES * size)
        self._barrier = context.Barrier(PROCESSES)

    def of(self, place: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the values of one process, by its place, and return the mean (values,).

        Raises:
            threading.BrokenBarrierError: the other process has ended.
        """
        rows = np.frombuffer(self._values, np.float32).reshape(PROCESSES, -1)
        rows[place] = values
        self._barrier.wait()
        mean: NDArray[np.float32] = rows[0] + rows[1]
        mean *= 0.5
        self._barrier.wait()  # before one of them writes its next values
        return mean

    def give_up(self) -> None:
        """Let nobody wait any more."""
        self._barrier.abort()
