"""The plot of a training's history."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.fitting.callbacks import Logs

TRAIN, VALIDATION, CER = "#c2571a", "#2261a8", "#7a5195"


def plot_learning_curves(history: Sequence[Logs], best_epoch: int, path: Path) -> None:
    """Plot loss and error rates over the epochs, as a PNG.

    Args:
        history: one entry per epoch, with loss, val_loss, val_cer and val_wer.
        best_epoch: the epoch whose weights were kept, from 1.
        path: the file to write.
    """
    epochs = [line["epoch"] for line in history]
    figure = Figure(figsize=(10, 3.8), dpi=100, layout="constrained")
    losses, rates = figure.subplots(1, 2)

    losses.plot(epochs, [line["loss"] for line in history], color=TRAIN, label="training (augmented, dropout)")
    losses.plot(epochs, [line["val_loss"] for line in history], color=VALIDATION, label="validation")
    losses.set(title="CTC loss", xlabel="epoch", yscale="log")

    rates.plot(epochs, [100 * line["val_wer"] for line in history], color=VALIDATION, label="words wrong (WER)")
    rates.plot(epochs, [100 * line["val_cer"] for line in history], color=CER, label="characters wrong (CER)")
    # Linear below 1 %, so that small error rates differ visibly from zero.
    rates.set_yscale("symlog", linthresh=1)
    rates.set_yticks([0, 1, 10, 100], labels=["0", "1", "10", "100"])
    rates.set(title="Validation images read wrong", xlabel="epoch", ylabel="%", ylim=(0, 130))

    for axes in (losses, rates):
        axes.axvline(best_epoch, color="grey", linewidth=1, linestyle=":", label=f"best epoch ({best_epoch})")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper right", frameon=False)
    figure.savefig(path)
