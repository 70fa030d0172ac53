"""Progress output: lines that also suit a file, and bars on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from training.commands.common import emit

COUNT = (MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
BYTES = (DownloadColumn(), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
EPOCHS = (
    *(TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn()),
    *(TextColumn("left"), TimeRemainingColumn()),
)


@contextmanager
def progress_bar(
    console: Console, columns: tuple[ProgressColumn, ...], total: float | None = None, done: int = 0
) -> Iterator[Progress]:
    """Show a progress bar if the output is a terminal; its only task has id 0."""
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=total, completed=done)
        yield bar


@contextmanager
def training_progress(console: Console, epochs: int, done: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show the progress of a training; yield a function to call with the metrics of each epoch.

    Print a line and emit an event per epoch, with a progress bar below.
    """
    with progress_bar(console, EPOCHS, epochs, done) as bar:

        def on_epoch(logs: dict[str, float]) -> None:
            console.print(
                f"epoch {logs['epoch']:>3.0f}  loss {logs['loss']:8.4f}  val loss {logs['val_loss']:8.4f}  "
                f"CER {logs['val_cer']:7.2%}  WER {logs['val_wer']:7.2%}"
            )
            bar.update(bar.task_ids[0], completed=int(logs["epoch"]))
            emit(event="epoch", epochs=epochs, **logs)

        yield on_epoch
