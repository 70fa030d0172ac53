"""The reliability diagram."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.evaluation.reliability import expected_calibration_error, reliability_bins, wilson_interval

COLOUR = "#2261a8"


def plot_reliability(confidences: Sequence[float], right: Sequence[bool], path: Path) -> None:
    """Plot accuracy and number of readings by confidence, as a PNG.

    Vertical lines are Wilson's 95 % intervals, long where there are few readings.
    """
    bins = reliability_bins(confidences, right)
    figure = Figure(figsize=(5.2, 5.2), dpi=100, layout="constrained")
    accuracy, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))

    accuracy.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="ideal")
    centres = [one.confidence for one in bins]
    intervals = [wilson_interval(round(one.accuracy * one.count), one.count) for one in bins]
    accuracy.vlines(centres, *zip(*intervals, strict=True), color=COLOUR, alpha=0.4, label="95 % interval")
    accuracy.plot(centres, [one.accuracy for one in bins], "o-", color=COLOUR)
    error = expected_calibration_error(confidences, right)
    accuracy.set(title=f"Expected calibration error {error:.2%}", ylabel="fraction read right", ylim=(-0.02, 1.02))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)  # points may be anywhere in the plot

    counts.bar(centres, [one.count for one in bins], width=0.03, color=COLOUR)
    counts.set(xlabel="confidence of the word", ylabel="words", yscale="log", xlim=(-0.02, 1.02))
    counts.set_ylim(bottom=0.5)  # keep bars of a single word visible
    for axes in (accuracy, counts):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
