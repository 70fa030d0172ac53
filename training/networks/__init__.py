"""Networks by name, and pre-trained weights for them.

A file here defines one `ARCHITECTURE` and becomes one more of them; nothing else comes in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal

import keras
import numpy as np

LOGITS = "logits"
"""The name of every architecture's last layer with weights: one output a class, the blank last."""


@dataclass(frozen=True)
class Recipe:
    """How an architecture is trained where the command line does not say otherwise."""

    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: Literal["one-cycle", "plateau"]
    steps: int
    """About so many batches, whatever the number of images."""
    most_epochs: int
    """Few images need no more than this."""
    epoch_steps: int = 1
    """Fewest batches an epoch: few images are gone over several times."""
    averaging: float | None = None
    """See `TrainingConfig`."""
    drawn: int = 0
    """Pictures of the labels' alphabet that are drawn beside few labelled images."""
    bfloat16: bool = False
    """Whether to compute in 16 bits where the processor does."""


@dataclass(frozen=True)
class Architecture:
    """A network and what one needs to know to train and serve it.

    Attributes:
        build: from (height, width, channels) and the number of classes, the blank included, to a model that
            takes uint8 (batch, height, width, channels), 0…255, and puts out float32 logits
            (batch, steps, classes).
        height: of the images that it is given, in pixels.
        open_width: whether it takes images of any width; `build` is then given None for it.
        channels: 1 for grey, 3 for blue, green, red.
        time_axis: "width" where output step t sees column t of the image.
        quantized: whether its inner convolutions are exported in 8 bits, where that reads as well.
        recipe: its training defaults from random weights.
        continued: its training defaults from weights that read something already.
        description: one line for `--help`, the card and the README.
    """

    build: Callable[[tuple[int, int | None, int], int], keras.Model]
    height: int
    open_width: bool
    channels: Literal[1, 3]
    time_axis: Literal["width"] | None
    quantized: bool
    recipe: Recipe
    continued: Recipe
    description: str


def unlikely_blank(shape: tuple[int, ...], dtype: str) -> keras.KerasTensor:
    """Initialise the biases of the logits: with all characters likelier than the blank, CTC leaves its plateau."""
    bias = np.zeros(shape, np.float32)
    bias[-1] = -2.0
    return keras.ops.convert_to_tensor(bias, dtype)


def convolution(
    x: keras.KerasTensor,
    filters: int,
    *,
    momentum: float,
    kernel: tuple[int, int] = (3, 3),
    strides: int | tuple[int, int] = 1,
    padding: Literal["same", "valid"] = "same",
    rectified: bool = True,
) -> keras.KerasTensor:
    """Convolve, normalise by the batch with statistics of a momentum, and rectify."""
    x = keras.layers.Conv2D(
        filters, kernel, strides=strides, padding=padding, use_bias=False, kernel_initializer="he_uniform"
    )(x)
    x = keras.layers.BatchNormalization(momentum=momentum)(x)
    return keras.layers.ReLU()(x) if rectified else x


def architecture_names() -> list[str]:
    """Return the names of all architectures, sorted."""
    return sorted(module.name for module in iter_modules(__path__))


def get_architecture(name: str) -> Architecture:
    """Return an architecture by name.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in architecture_names():
        raise KeyError(name)
    architecture: Architecture = import_module(f"{__name__}.{name}").ARCHITECTURE
    return architecture
