"""Durations of the stages of reading."""

from time import perf_counter
from typing import Self

Stage = tuple[str, float, float, int]
"""Name, start and end by `time.perf_counter`, number of images."""
WAIT = "wait"
"""Stage of waiting in the queue."""


class Stopwatch:
    """Record of consecutive stages: each begins where the previous one ended."""

    __slots__ = ("_began", "stages")

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._began = perf_counter()

    def lap(self, stage: str, images: int = 1) -> None:
        """End the current stage and begin the next."""
        now = perf_counter()
        self.stages.append((stage, self._began, now, images))
        self._began = now

    def restart(self) -> None:
        """Begin the next stage now: the time since the last one is recorded elsewhere."""
        self._began = perf_counter()

    def beside(self) -> Self:
        """Return a stopwatch for concurrent work that records into the same list."""
        other = type(self)()
        other.stages = self.stages
        return other
