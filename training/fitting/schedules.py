"""Learning rate schedules."""

import math
from typing import Any

import keras


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak: float, total_steps: int) -> None:
        self.peak = peak
        self.total_steps = total_steps

    def get_config(self) -> dict[str, Any]:
        """Return the arguments needed to rebuild the schedule."""
        return {"peak": self.peak, "total_steps": self.total_steps}


class OneCycle(_Schedule):
    """A learning rate that rises for a quarter of the training and then falls, both along cosines.

    Smith and Topin, "Super-Convergence", 2018.
    """

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step."""
        progress = keras.ops.cast(step, "float32") / self.total_steps
        rising = 0.04 + 0.96 * (1 - keras.ops.cos(math.pi * progress / 0.25)) / 2
        falling = (1 + keras.ops.cos(math.pi * keras.ops.minimum((progress - 0.25) / 0.75, 1.0))) / 2
        return self.peak * keras.ops.where(progress < 0.25, rising, keras.ops.maximum(falling, 1e-4))


class Trapezoid(_Schedule):
    """A learning rate that rises for 4 % of the training, stays constant, and falls to zero in the last quarter.

    Until it falls, it hardly depends on the length of the training, which can therefore change midway
    (Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024).
    """

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step."""
        progress = keras.ops.cast(step, "float32") / self.total_steps
        return self.peak * keras.ops.clip(keras.ops.minimum(progress / 0.04 + 1e-3, (1 - progress) / 0.25), 1e-4, 1.0)


SCHEDULES = {"one-cycle": OneCycle, "trapezoid": Trapezoid}
