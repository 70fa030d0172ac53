"""Pictures of how a training went."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.callbacks import Logs
from training.reliability import expected_calibration_error, reliability_bins, wilson_interval

TRAIN, VALIDATION = "#c2571a", "#2261a8"


def plot_learning_curves(history: Sequence[Logs], best_epoch: int, path: Path) -> None:
    """Draw loss and error rates over the epochs as a PNG.

    Args:
        history: a line an epoch, with loss, val_loss, val_cer and val_wer.
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
    rates.plot(epochs, [100 * line["val_cer"] for line in history], color=TRAIN, label="characters wrong (CER)")
    # Linear below 1 %, so that the end of a good training can be told from nothing wrong at all.
    rates.set_yscale("symlog", linthresh=1)
    rates.set_yticks([0, 1, 10, 100], labels=["0", "1", "10", "100"])
    rates.set(title="Validation images read wrong", xlabel="epoch", ylabel="%", ylim=(0, 130))

    for axes in (losses, rates):
        axes.axvline(best_epoch, color="grey", linewidth=1, linestyle=":", label=f"best epoch ({best_epoch})")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path)


def plot_reliability(confidences: Sequence[float], right: Sequence[bool], path: Path) -> None:
    """Draw how often readings of some confidence are right, and how many there are, as a PNG.

    A vertical line is Wilson's interval at 95 %: long where there are few readings to tell from.

    Args:
        confidences: of each reading, 0…1.
        right: whether each was read exactly.
        path: the file to write.
    """
    bins = reliability_bins(confidences, right)
    figure = Figure(figsize=(5.2, 5.2), dpi=100, layout="constrained")
    accuracy, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))

    accuracy.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="as it should be")
    centres = [one.confidence for one in bins]
    intervals = [wilson_interval(round(one.accuracy * one.count), one.count) for one in bins]
    accuracy.vlines(centres, *zip(*intervals, strict=True), color=VALIDATION, alpha=0.4, label="95 % interval")
    accuracy.plot(centres, [one.accuracy for one in bins], "o-", color=VALIDATION)
    error = expected_calibration_error(confidences, right)
    accuracy.set(title=f"Expected calibration error {error:.2%}", ylabel="part read right", ylim=(-0.02, 1.02))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)  # points may be anywhere inside

    counts.bar(centres, [one.count for one in bins], width=0.03, color=VALIDATION)
    counts.set(xlabel="confidence of the word", ylabel="words", yscale="log", xlim=(-0.02, 1.02))
    counts.set_ylim(bottom=0.5)  # a single word is a bar, too
    for axes in (accuracy, counts):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
