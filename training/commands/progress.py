"""What people see while they wait: lines that also make sense in a file, and bars on a terminal."""

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
    """Show a bar where the output is a terminal; its only task is number 0."""
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=total, completed=done)
        yield bar


@contextmanager
def training_progress(console: Console, epochs: int, done: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show a training of so many epochs, of which some are done already; yield what to call after each.

    There is a line and an event an epoch, and below them a bar with the time left.
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
