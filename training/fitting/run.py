"""The folder of a run: the files needed to resume, export and inspect it."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from app.shared.errors import UserError
from app.shared.files import write_json
from app.shared.suggestions import did_you_mean
from training.fitting.checkpoints import read_state
from training.fitting.config import TrainingConfig


class RunError(UserError):
    """A run cannot be started or continued; the message says why and how to fix it."""


class RunState(BaseModel):
    """The description and the progress of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    """The command line, for the model card."""
    data: str
    """The folder or CSV file as given on the command line."""
    data_sha256: str
    output: str
    vocab: str
    config: TrainingConfig
    unlabelled: str | None = None
    """The folder of pictures without labels, if any."""
    gained: str = ""
    """The improvement from unlabelled pictures, in words."""
    best_round: int = 0
    """The round whose weights count; 0: the first training."""
    seconds: float = 0.0
    """Time spent training so far, including earlier attempts."""
    finished: bool = False
    exported: bool = False
    """Whether the output is from this run, which may then replace it when resumed."""


class RunFolder:
    """The files of a run.

    Attributes:
        path: the folder.
        state_file: `RunState` as JSON.
        train_csv, val_csv: the training and the validation samples.
        checkpoint: weights, optimiser and callbacks after the last complete epoch.
        best_weights: the weights of the best epoch.
        history_csv: one line per epoch.
        worst_readings: the worst validation readings; shows images of the data, so it is not in the model folder.
        labels_file: of a round: the labels of its images, pseudo-labels included.
        tensorboard: event files for TensorBoard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state_file = path / "run.json"
        self.train_csv, self.val_csv = path / "train.csv", path / "val.csv"
        self.checkpoint, self.best_weights = path / "checkpoint.npz", path / "best.npz"
        self.history_csv = path / "history.csv"
        self.worst_readings = path / "worst_readings.png"
        self.labels_file = path / "labels.json"
        self.tensorboard = path / "tensorboard"

    def round(self, number: int) -> "RunFolder":
        """Return the folder of a training round that also uses unlabelled pictures, numbered from 1."""
        return RunFolder(self.path / f"round-{number}")

    def best(self) -> "RunFolder":
        """Return the folder of the round whose weights count, or this one. Raise like `read_state`."""
        number = self.read_state().best_round
        return self.round(number) if number else self

    def read_labels(self) -> list[str]:
        """Return the labels that a round was trained on; none if this is not a round."""
        return json.loads(self.labels_file.read_text(encoding="utf-8")) if self.labels_file.exists() else []

    def read_state(self) -> RunState:
        """Return the run's state.

        Raises:
            RunError: this is not the folder of a run.
        """
        try:
            return RunState.model_validate_json(self.state_file.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise RunError(f"{self.path} is not the folder of a training run.{did_you_mean(self.path)}") from error

    def epochs_done(self) -> int:
        """Return the number of epochs in the checkpoint."""
        return len(read_state(self.checkpoint)["history"]) if self.checkpoint.exists() else 0

    def write_state(self, state: RunState) -> None:
        """Write the run's state, completely or not at all."""
        write_json(state.model_dump(), self.state_file)


def newest_unfinished(folder: Path, name: str) -> RunFolder:
    """Return the latest unfinished run of a model, or of any if its name is *; runs are in <name>/<version>/.

    Raises:
        RunError: there is none.
    """
    runs = [RunFolder(state.parent) for state in folder.glob(f"{name}/*/run.json")]
    unfinished = [run for run in runs if not run.read_state().finished]
    if not unfinished:
        raise RunError(f"There is no interrupted run in {folder / name} to resume.")
    return max(unfinished, key=lambda run: run.state_file.stat().st_mtime)
