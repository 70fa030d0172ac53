"""Two threads compute the mean of their values."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fitting.shared_mean import SharedMean

VALUES = st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)), min_size=1, max_size=9)


@given(st.lists(VALUES, min_size=1, max_size=3).filter(lambda steps: len({len(step) for step in steps}) == 1))
def test_both_get_the_mean_step_by_step(steps: list[list[tuple[float, float]]]) -> None:
    shared = SharedMean(multiprocessing.get_context("spawn"), len(steps[0]))
    values = np.array(steps, np.float32)

    def compute(place: int) -> list[np.ndarray]:
        return [shared.of(place, step[:, place]) for step in values]

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(compute, range(2))
    np.testing.assert_allclose(first, values.mean(axis=2), rtol=1e-6)
    np.testing.assert_array_equal(first, second)


def test_nobody_waits_after_it_is_released() -> None:
    shared = SharedMean(multiprocessing.get_context("spawn"), 1)
    shared.release()
    with pytest.raises(threading.BrokenBarrierError):
        shared.of(0, np.zeros(1, np.float32))
