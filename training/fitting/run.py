"""The folder of a run: what is needed to resume it, to export it and to look at it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from app.shared.errors import UserError
from app.shared.files import write_json
from app.shared.suggestions import did_you_mean
from training.fitting.checkpoints import read_state
from training.fitting.config import TrainingConfig


class RunError(UserError):
    """A run cannot be started or continued; the message says why and what to do."""


class RunState(BaseModel):
    """What a run is: written when it starts, and again when it ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    """What was typed, for the model card."""
    data: str
    """The folder or CSV file as it was named."""
    data_sha256: str
    output: str
    vocab: str
    config: TrainingConfig
    unlabelled: str | None = None
    """The folder of pictures without labels, if there is one."""
    gained: str = ""
    """What was gained by them, in words."""
    seconds: float = 0.0
    """Spent training so far, all sittings together."""
    finished: bool = False
    exported: bool = False
    """Whether what is at its output is of this run, which so may replace it when resumed."""


class RunFolder:
    """The files of a run.

    Attributes:
        path: the folder.
        state_file: `RunState` as JSON.
        train_csv, val_csv: the two parts of the data.
        checkpoint: weights, optimiser and callbacks after the last complete epoch.
        best_weights: the weights of the best epoch.
        history_csv: a line an epoch.
        worst_readings: the validation images that were read worst: the data itself, not shipped with the model.
        tensorboard: event files for TensorBoard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state_file = path / "run.json"
        self.train_csv, self.val_csv = path / "train.csv", path / "val.csv"
        self.checkpoint, self.best_weights = path / "checkpoint.npz", path / "best.npz"
        self.history_csv = path / "history.csv"
        self.worst_readings = path / "worst_readings.png"
        self.tensorboard = path / "tensorboard"

    def round(self, number: int) -> "RunFolder":
        """Return the folder of a training that also learns from unlabelled pictures, by number from 1."""
        return RunFolder(self.path / f"round-{number}")

    def read_state(self) -> RunState:
        """Return the run's state.

        Raises:
            RunError: this is no folder of a run.
        """
        try:
            return RunState.model_validate_json(self.state_file.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise RunError(f"{self.path} is not the folder of a training run.{did_you_mean(self.path)}") from error

    def epochs_done(self) -> int:
        """Return how many epochs the checkpoint has behind it."""
        return len(read_state(self.checkpoint)["history"]) if self.checkpoint.exists() else 0

    def write_state(self, state: RunState) -> None:
        """Write the run's state, whole or not at all."""
        write_json(state.model_dump(), self.state_file)


def newest_unfinished(folder: Path, name: str) -> RunFolder:
    """Return the run of a model that was started last and did not come to its end.

    Args:
        folder: of the runs, <name>/<version>/.
        name: of the model; * is any.

    Raises:
        RunError: there is none.
    """
    runs = [RunFolder(state.parent) for state in folder.glob(f"{name}/*/run.json")]
    unfinished = [run for run in runs if not run.read_state().finished]
    if not unfinished:
        raise RunError(f"There is no interrupted run in {folder / name} to resume.")
    return max(unfinished, key=lambda run: run.state_file.stat().st_mtime)
