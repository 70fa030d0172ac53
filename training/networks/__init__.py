"""Network architectures by name, and their pre-trained weights.

Each file defines one `ARCHITECTURE`; nothing else belongs here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal

import keras
import numpy as np

LOGITS = "logits"
"""Name of every architecture's last layer with weights: one output per class, the blank last."""


@dataclass(frozen=True)
class Recipe:
    """Default training settings of an architecture."""

    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: Literal["one-cycle", "plateau"]
    steps: int
    """Approximate number of batches in a training, whatever the number of images."""
    max_epochs: int
    """Maximum number of epochs, for few images."""
    epoch_steps: int = 1
    """Minimum number of batches per epoch: few images are repeated."""
    averaging: float | None = None
    """See `TrainingConfig`."""
    drawn: int = 0
    """Number of drawn pictures that are added to few labelled images."""
    bfloat16: bool = False
    """Whether to compute in bfloat16 if the processor supports it."""


@dataclass(frozen=True)
class Architecture:
    """A network and what is needed to train and serve it.

    Attributes:
        build: takes (height, width, channels) and the number of classes, including the blank; returns a model that
            takes uint8 (batch, height, width, channels), 0…255, and puts out float32 logits (batch, steps, classes).
        height: input height in pixels.
        open_width: whether images may have any width; `build` then gets None as the width.
        channels: 1 for grey, 3 for BGR.
        time_axis: "width" if output step t covers column t of the image.
        quantized: whether the inner convolutions are exported in 8 bits if accuracy does not suffer.
        recipe: default training settings from random weights.
        continued: default training settings from pre-trained weights.
        description: one line for `--help`, the model card and the README.
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
    """Initialise the biases of the logits: with the blank unlikely at first, CTC leaves its plateau."""
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
    """Apply a convolution, batch normalisation with this momentum, and ReLU if `rectified`."""
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
        KeyError: the name is unknown.
    """
    if name not in architecture_names():
        raise KeyError(name)
    architecture: Architecture = import_module(f"{__name__}.{name}").ARCHITECTURE
    return architecture
