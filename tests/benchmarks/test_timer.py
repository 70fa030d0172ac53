"""Timing steps."""

from benchmarks.peers.timer import time_steps


def test_a_step_is_called_once_even_if_there_is_no_time() -> None:
    calls: list[int] = []
    times = time_steps({"step": lambda: calls.append(1)}, 0)
    assert len(calls) == 1
    assert times["step"] > 0
