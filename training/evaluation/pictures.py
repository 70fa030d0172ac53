"""Plots of how a model reads labelled images: confusions, reliability, and the worst readings."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.evaluation.evaluate import Line
from training.evaluation.lettering import FONT, printable
from training.evaluation.metrics import aligned
from training.evaluation.reliability import expected_calibration_error, reliability_bins, wilson_interval
from training.evaluation.worst_readings import plot_worst_readings

CONFUSIONS, RELIABILITY = "confusions.png", "reliability.png"
MAX_CHARACTERS = 80
CELL, SIDE = 0.29, 0.75
"""Inches: the size of a matrix cell, and the margin of the matrix."""
BLUE = "#2261a8"
MIN_COLOURED = 0.001
"""Fraction of a row at which errors have the lightest colour."""


def draw_pictures(lines: Sequence[Line], folder: Path, worst: Path) -> None:
    """Write confusions.png and reliability.png, which show no image of the data, and the worst readings, which do."""
    plot_confusions([line.label for line in lines], [line.prediction for line in lines], folder / CONFUSIONS)
    plot_reliability([line.confidence for line in lines], [line.right for line in lines], folder / RELIABILITY)
    plot_worst_readings(lines, worst)


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
    accuracy.vlines(centres, *zip(*intervals, strict=True), color=BLUE, alpha=0.4, label="95 % interval")
    accuracy.plot(centres, [one.accuracy for one in bins], "o-", color=BLUE)
    error = expected_calibration_error(confidences, right)
    accuracy.set(title=f"Expected calibration error {error:.2%}", ylabel="fraction read right", ylim=(-0.02, 1.02))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)  # points may be anywhere in the plot

    counts.bar(centres, [one.count for one in bins], width=0.03, color=BLUE)
    counts.set(xlabel="confidence of the word", ylabel="words", yscale="log", xlim=(-0.02, 1.02))
    counts.set_ylim(bottom=0.5)  # keep bars of a single word visible
    for axes in (accuracy, counts):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def plot_confusions(labels: Sequence[str], predictions: Sequence[str], path: Path) -> None:
    """Plot how often each character was read as which, as a PNG.

    Rows are label characters, columns what was read. The row "nothing" counts extra characters, the column "nothing"
    missed ones. With more than 80 characters, only the (at most 80) most confused ones are shown.
    """
    counts = Counter(pair for texts in zip(labels, predictions, strict=True) for pair in aligned(*texts))
    characters, note = _shown_characters(counts)
    matrix = np.array([[counts[wanted, got] for got in (*characters, "")] for wanted in (*characters, "")])
    side = CELL * len(matrix)
    figure = Figure(figsize=(max(side + 2 * SIDE, 5), side + 2 * SIDE + 0.3), dpi=100, layout="constrained")
    axes = figure.subplots()
    if characters:
        _draw_matrix(axes, matrix, _row_totals(counts, characters))
        _name_cells(axes, [*map(printable, characters), "nothing"])
    else:
        axes.set_axis_off()
    total = sum(count for (wanted, _), count in counts.items() if wanted)
    right = sum(count for (wanted, got), count in counts.items() if wanted == got)
    figure.suptitle(f"{right:,} of {total:,} characters read right{note}", fontsize=11)
    figure.savefig(path)


def _shown_characters(counts: Counter[tuple[str, str]]) -> tuple[list[str], str]:
    """Return the characters of the matrix by code point, and a note for the title if some are omitted."""
    known = sorted({character for pair in counts for character in pair} - {""})
    if len(known) <= MAX_CHARACTERS:
        return known, ""
    errors: Counter[str] = Counter()
    for pair, count in counts.items():
        if pair[0] != pair[1]:
            errors.update({character: count for character in pair if character})
    confused = sorted(character for character, _ in errors.most_common(MAX_CHARACTERS))
    if not confused:
        return [], f"\nnone of the {len(known)} characters was ever confused"
    which = "that were ever confused" if len(confused) == len(errors) else "confused most often"
    return confused, f"\nshown: the {len(confused)} of {len(known)} characters {which}"


def _row_totals(counts: Counter[tuple[str, str]], characters: Sequence[str]) -> NDArray[np.float64]:
    """Return how often each label character occurs, at least 1: float64 (characters and nothing, 1).

    "Nothing" does not occur; it gets the mean of the characters, so that its colours are comparable.
    """
    totals: Counter[str] = Counter()
    for (wanted, _), count in counts.items():
        totals[wanted] += count
    rows = np.array([totals[character] for character in characters], float)
    return np.maximum(np.append(rows, rows.mean()), 1.0)[:, np.newaxis]


def _draw_matrix(axes: Axes, matrix: NDArray[np.int64], totals: NDArray[np.float64]) -> None:
    """Colour cells by their fraction of the row; errors on a logarithmic scale that shows one in a thousand."""
    diagonal = np.eye(len(matrix), dtype=bool)
    parts = np.clip(matrix / totals, MIN_COLOURED, 1)
    # Scales extend beyond the values: only zero is white, and numbers are legible on all colours.
    right, wrong = Normalize(-0.2, 1.2), LogNorm(MIN_COLOURED / 5, 2)
    axes.imshow(np.ma.array(parts, mask=~diagonal | (matrix == 0)), cmap="Blues", norm=right)
    axes.imshow(np.ma.array(parts, mask=diagonal | (matrix == 0)), cmap="Oranges", norm=wrong)
    for row, column in np.argwhere(matrix > 0):
        error = row != column
        axes.text(
            column,
            row,
            _short(matrix[row, column]),
            color="white" if parts[row, column] > (0.15 if error else 0.5) else "black",
            fontsize=7 if error else 6,
            fontweight="bold" if error else "normal",
            ha="center",
            va="center",
        )
    axes.set_xticks(np.arange(len(matrix) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(matrix) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e4e4e4", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _name_cells(axes: Axes, names: Sequence[str]) -> None:
    places = range(len(names))
    axes.set_xticks(places, labels=names, fontfamily=FONT, fontsize=9, parse_math=False)
    axes.set_yticks(places, labels=names, fontfamily=FONT, fontsize=9, parse_math=False)
    for tick in axes.get_xticklabels():
        tick.set_rotation(90 if len(tick.get_text()) > 1 else 0)
    axes.set(xlabel="read", ylabel="label")
    axes.set_title("blue: right; orange: wrong; darker: larger fraction of the row", fontsize=8)


def _short(count: int) -> str:
    """Return a count in at most four characters."""
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"
