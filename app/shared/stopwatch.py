"""How long the stages of reading take."""

from time import perf_counter
from typing import Self

Stage = tuple[str, float, float, int]
"""What was done, when it began and ended by `time.perf_counter`, and with how many images."""
WAIT = "wait"
"""The stage that is no work: waiting in the queue."""


class Stopwatch:
    """Notes the stages of some work, each of which begins where the one before it ended."""

    __slots__ = ("_began", "stages")

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._began = perf_counter()

    def lap(self, stage: str, images: int = 1) -> None:
        """End a stage."""
        now = perf_counter()
        self.stages.append((stage, self._began, now, images))
        self._began = now

    def restart(self) -> None:
        """Begin the next stage now: what was done since the last is noted elsewhere."""
        self._began = perf_counter()

    def beside(self) -> Self:
        """Another for work that is done meanwhile, which notes its stages among these."""
        other = type(self)()
        other.stages = self.stages
        return other
