"""What people see while they wait: lines that also make sense in a file, and bars on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from training.commands.common import emit

Logs = dict[str, float]


class TrainingProgress:
    """A line and an event an epoch, below them a bar with the time left where the output is a terminal."""

    def __init__(self, console: Console, bar: Progress, task: TaskID, epochs: int) -> None:
        self._console, self._bar, self._task, self._epochs = console, bar, task, epochs

    def on_epoch(self, logs: Logs) -> None:
        """Show an epoch: loss, validation loss, CER and WER."""
        self._console.print(
            f"epoch {logs['epoch']:>3.0f}  loss {logs['loss']:8.4f}  val loss {logs['val_loss']:8.4f}  "
            f"CER {logs['val_cer']:7.2%}  WER {logs['val_wer']:7.2%}"
        )
        self._bar.update(self._task, completed=int(logs["epoch"]))
        emit(event="epoch", epochs=self._epochs, **logs)


@contextmanager
def training_progress(console: Console, epochs: int, done: int) -> Iterator[TrainingProgress]:
    """Show a training of so many epochs, of which some are done already."""
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("epochs", total=epochs, completed=done)
        yield TrainingProgress(console, bar, task, epochs)


@contextmanager
def counting_progress(console: Console, total: int) -> Iterator[Progress]:
    """A bar over so many images or trainings; its only task is number 0."""
    columns = (MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=total)
        yield bar


@contextmanager
def download_progress(console: Console) -> Iterator[Progress]:
    """A bar in bytes with speed and time left; its only task is number 0."""
    columns = (DownloadColumn(), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("download", total=None)
        yield bar
