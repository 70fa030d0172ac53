"""Settings of a training run: command-line options plus the architecture's defaults."""

import importlib.resources
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.shared.cpus import computes_bfloat16
from training.data.dataset import InputSize, Sample
from training.data.input_size import input_size
from training.networks import get_architecture

DEFAULT_ARCHITECTURE = "residual_ctc"
FEW_IMAGES = 300
"""With fewer labelled images, drawn pictures are added so that a network does not forget what it knew."""
MAX_DRAWN_BYTES = 512 * 2**20
"""Maximum memory for drawn pictures."""
MIN_EPOCHS, MIN_EPOCHS_OF_MANY = 40, 12
"""Minimum number of epochs, normally and with very many images."""
MANY_IMAGES = 250_000
"""The minimum number of epochs shrinks so that all epochs together need no more images than this."""
SHIPPED, NO_START = "shipped", "none"


class TrainingConfig(BaseModel):
    """All settings that, together with the images, determine a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    width: Annotated[int, Field(ge=8, le=4096)]
    height: Annotated[int, Field(ge=8, le=1024)]
    keep_proportions: bool = False
    """Whether images keep their proportions, up to the input width; see `ModelConfigs`."""
    channels: Literal[1, 3]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["one-cycle", "plateau", "trapezoid"]
    passes: Annotated[int, Field(ge=1)] = 1
    """Passes over the images per epoch."""
    drawn: Annotated[int, Field(ge=0)] = 0
    """Number of drawn pictures with the labels' alphabet; half of each batch is drawn if there are any."""
    averaging: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the moving average of the weights per step; None: no averaging."""
    bfloat16: bool = False
    """Whether layers compute in bfloat16."""
    patience: Annotated[int, Field(ge=1)] | None
    """Epochs without a better CER before the training stops early; None: never."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]
    init: str = NO_START
    """Initial weights: "shipped", "none", or a path; see `training.fitting.start`."""

    @property
    def input_size(self) -> InputSize:
        """The size of the network's input."""
        return InputSize(self.width, self.height, self.channels, self.keep_proportions)

    def steps_per_epoch(self, images: int) -> int:
        """Return the number of batches per epoch."""
        return self.passes * math.ceil(images / self.batch_size)


def shipped_start(architecture: str) -> Path:
    """Return the path of an architecture's shipped weights, which may not exist."""
    return Path(str(importlib.resources.files("training.networks") / "weights" / f"{architecture}.npz"))


def configure(samples: Sequence[Sample], options: dict[str, Any]) -> TrainingConfig:
    """Return the configuration of a training; options (see `TrainingConfig`) that are None depend on the images.

    Raises:
        pydantic.ValidationError: a value is out of range.
        KeyError: the architecture is unknown.
    """
    architecture = get_architecture(options.get("architecture") or DEFAULT_ARCHITECTURE)
    size = input_size(
        samples,
        height=options.get("height") or architecture.height,
        width=options.get("width"),
        open_width=architecture.open_width,
    )
    return resolve_config(len(samples), options | size)


def resolve_config(images: int, options: dict[str, Any]) -> TrainingConfig:
    """Return the configuration of a training on this number of images, which determines the epochs.

    Options (see `TrainingConfig`) that are None get defaults, except width and height. Raise like `configure`.
    """
    given = {key: value for key, value in options.items() if value is not None}
    architecture_name = given.setdefault("architecture", DEFAULT_ARCHITECTURE)
    architecture = get_architecture(architecture_name)
    init = given.setdefault("init", SHIPPED if shipped_start(architecture_name).exists() else NO_START)
    recipe = architecture.recipe if init == NO_START else architecture.continued
    defaults = {
        "channels": architecture.channels,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "schedule": recipe.schedule,
        "averaging": recipe.averaging,
        "bfloat16": recipe.bfloat16 and computes_bfloat16(),
        "validation_fraction": 0.1,
        "seed": 0,
    }
    values = defaults | given
    batches = math.ceil(images / max(1, values["batch_size"]))
    values.setdefault("passes", math.ceil(recipe.epoch_steps / batches))
    steps_per_epoch = batches * values["passes"]
    fewest = min(MIN_EPOCHS, max(MIN_EPOCHS_OF_MANY, MANY_IMAGES // max(1, images)))
    values.setdefault("epochs", min(recipe.max_epochs, max(fewest, round(recipe.steps / steps_per_epoch))))
    if images < FEW_IMAGES:
        picture_bytes = values["width"] * values["height"] * values["channels"]
        seen = values["epochs"] * values["passes"] * images
        values.setdefault("drawn", min(recipe.drawn, seen, MAX_DRAWN_BYTES // max(1, picture_bytes)))
    # The other schedules have a fixed length, and their last epochs are the best.
    values.setdefault("patience", 50 if values["schedule"] == "plateau" else None)
    return TrainingConfig.model_validate(values)
