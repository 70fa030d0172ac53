"""What a training run is told: the command line's options with the architecture's defaults filled in."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.architectures import get_architecture

DEFAULT_ARCHITECTURE = "conv_ctc"
# Enough to learn from a few hundred images, and no more of them than the images need.
DEFAULT_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 16_000, 40, 600


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

    def steps_per_epoch(self, images: int) -> int:
        """Batches an epoch; the last may be smaller."""
        return math.ceil(images / self.batch_size)


def resolve_config(images: int, options: dict[str, Any]) -> TrainingConfig:
    """Fill in what the options leave open (None).

    Args:
        images: how many images are trained on; decides the epochs.
        options: fields of `TrainingConfig`.

    Raises:
        pydantic.ValidationError: a value is out of range.
        KeyError: no such architecture.
    """
    given = {key: value for key, value in options.items() if value is not None}
    architecture = get_architecture(given.setdefault("architecture", DEFAULT_ARCHITECTURE))
    recipe = architecture.recipe
    defaults = {
        "width": 200,
        "height": 50,
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
    values.setdefault("epochs", min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(DEFAULT_STEPS / steps_per_epoch))))
    # One cycle ends by itself, and its last epochs are its best.
    values.setdefault("patience", 50 if values["schedule"] == "plateau" else None)
    return TrainingConfig.model_validate(values)
