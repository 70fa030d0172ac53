"""What a training run is told: the command line's options with the architecture's defaults filled in."""

import importlib.resources
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.networks import get_architecture

DEFAULT_ARCHITECTURE = "conv_ctc"
FEWEST_EPOCHS = 40  # of however many images
SHIPPED, NO_START = "shipped", "none"


class TrainingConfig(BaseModel):
    """Everything that, with the images, decides how a run goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    width: Annotated[int, Field(ge=8, le=4096)]
    height: Annotated[int, Field(ge=8, le=1024)]
    channels: Literal[1, 3]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["one-cycle", "plateau"]
    patience: Annotated[int, Field(ge=1)] | None
    """Epochs without a better CER after which the training stops early; None: never."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]
    init: str = NO_START
    """The weights to start from: "shipped", "none", or a path; see `training.fitting.start`."""

    def steps_per_epoch(self, images: int) -> int:
        """Batches an epoch; the last may be smaller."""
        return math.ceil(images / self.batch_size)


def shipped_start(architecture: str) -> Path:
    """Where this package keeps an architecture's pre-trained weights, if it has any."""
    return Path(str(importlib.resources.files("training.networks") / "weights" / f"{architecture}.npz"))


def resolve_config(images: int, options: dict[str, Any]) -> TrainingConfig:
    """Fill in what the options leave open (None).

    Args:
        images: how many images are trained on; decides the epochs.
        options: fields of `TrainingConfig`; width and height are among them.

    Raises:
        pydantic.ValidationError: a value is out of range.
        KeyError: no such architecture.
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
        "validation_fraction": 0.1,
        "seed": 0,
    }
    values = defaults | given
    steps_per_epoch = math.ceil(images / max(1, values["batch_size"]))
    values.setdefault("epochs", min(recipe.most_epochs, max(FEWEST_EPOCHS, round(recipe.steps / steps_per_epoch))))
    # One cycle ends by itself, and its last epochs are its best.
    values.setdefault("patience", 50 if values["schedule"] == "plateau" else None)
    return TrainingConfig.model_validate(values)
