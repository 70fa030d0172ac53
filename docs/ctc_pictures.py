"""Draw the figures of `docs/ctc.md` with the shipped model: `.venv/bin/python -m docs.ctc_pictures`.

They show synthetic samples only.
"""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from app.inference.decoding.automaton import any_text
from app.inference.decoding.beam import Search, search_texts
from app.inference.decoding.ctc import CtcCodec, with_temperature
from app.inference.decoding.forward import probabilities_of_labels
from app.inference.images import Pixels
from app.inference.models.model import ImageToTextModel
from app.shared.files import write_atomically
from training.data.dataset import read_image
from training.evaluation.lettering import FONT

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
TEXT = "b5wn6"
BLUR = 2.5
"""Standard deviation in pixels, at which the network misses a character."""
BLANK = "–"
BLUE, ORANGE, GREY = "#2261a8", "#c2571a", "#777777"
WIDTH = 10.0
"""Width of the figures in inches, at 100 dpi."""

Floats = NDArray[np.float64]


def main(folder: Path = PICTURES) -> None:
    """Draw all figures."""
    model = ImageToTextModel(max((ROOT / "model_store" / "captcha").iterdir()))
    image = read_image(ROOT / "samples" / f"{TEXT}.png")
    blurred = cv2.GaussianBlur(image, (0, 0), BLUR)
    folder.mkdir(exist_ok=True)
    figures = {
        "network": draw_network(model, image),
        "sum": draw_sum(),
        "alignments": draw_alignments(model, blurred),
        "search": draw_search(model, blurred),
        "boxes": draw_boxes(model, image),
    }
    for name, figure in figures.items():
        with write_atomically(folder / f"{name}.png", "wb") as file:
            figure.savefig(file, format="png", metadata={"Software": None})


def draw_network(model: ImageToTextModel, image: Pixels) -> Figure:
    """Draw the image, the network's probabilities per step, and the path of the most probable classes."""
    probabilities = calibrated(model, image)
    figure = Figure(figsize=(WIDTH, 6.4), dpi=100, layout="constrained")
    top, heat = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.75))
    _show_image(top, image, model.steps)
    _show_probabilities(heat, model.codec, probabilities)
    path = probabilities.argmax(axis=1)
    rows = [_rows(model.codec).index(index) + 0.5 for index in path]
    heat.plot(np.arange(model.steps) + 0.5, rows, color=ORANGE, linewidth=0.8, alpha=0.6)
    for step, index in enumerate(path):
        colour = GREY if index == model.codec.blank_index else ORANGE
        name = _name(model.codec, index)
        heat.text(step + 0.5, model.codec.classes + 0.9, name, color=colour, ha="center", fontfamily=FONT, fontsize=11)
    heat.tick_params(axis="x", pad=16)
    heat.set_xlabel("step; orange: most probable class")
    return figure


def draw_sum() -> Figure:
    """Draw why the probability of a text is a sum: two steps, two classes, four paths, two texts."""
    share = np.array([[0.4, 0.6], [0.4, 0.6]])
    codec = CtcCodec("7")
    paths = {path: share[0, path[0]] * share[1, path[1]] for path in ((1, 1), (0, 1), (1, 0), (0, 0))}
    figure = Figure(figsize=(WIDTH, 2.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    for row, (text, colour) in enumerate((("", GREY), ("7", BLUE))):
        left = 0.0
        for path, probability in paths.items():
            if codec.text([index for index in path if index != codec.blank_index])[:1] != text:
                continue
            axes.barh(row, probability, left=left, color=colour, edgecolor="white", height=0.62)
            written = " ".join(_name(codec, index) for index in path)
            factors = " · ".join(f"{share[step, index]:.1f}" for step, index in enumerate(path))
            label = f"{written}\n{factors} = {probability:.2f}"
            axes.text(left + probability / 2, row, label, color="white", ha="center", va="center", fontfamily=FONT)
            left += probability
        (total,) = probabilities_of_labels([codec.encode(text)], [share], codec.blank_index)
        axes.text(left + 0.01, row, f"{total:.2f}", va="center", fontsize=13, fontweight="bold", color=colour)
    axes.set_yticks([0, 1], labels=["nothing", "the text 7"], fontsize=12)
    axes.invert_yaxis()
    axes.set(xlim=(0, 0.75), xlabel="probability")
    axes.set_title("Two steps, each 0.6 for the blank and 0.4 for 7", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_alignments(model: ImageToTextModel, image: Pixels) -> Figure:
    """Draw the probability of each position in the text at each step, over all alignments."""
    states, shares = places_of(model.codec, calibrated(model, image), TEXT)
    figure = Figure(figsize=(WIDTH, 4.6), dpi=100, layout="constrained")
    top, trellis = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
    _show_image(top, image, model.steps)
    _show_shares(trellis, shares)
    trellis.set_yticks(np.arange(len(states)) + 0.5, labels=states, fontfamily=FONT, fontsize=11)
    trellis.set(xlabel="step", ylabel="position in the text")
    return figure


def draw_search(model: ImageToTextModel, blurred: Pixels) -> Figure:
    """Draw a blurred image, in which greedy decoding misses a character, and the texts found by a search."""
    figure = Figure(figsize=(WIDTH, 7.2), dpi=100, layout="constrained")
    axes_of = figure.subplot_mosaic("II;PP;AL", height_ratios=(1, 1.75, 1.5))
    _show_image(axes_of["I"], blurred, model.steps)
    _show_probabilities(axes_of["P"], model.codec, calibrated(model, blurred))
    axes_of["P"].set_xlabel("step")
    anything = any_text(len(model.codec.vocab))
    searches = {"any text": anything, f"texts of {len(TEXT)} characters": anything.of_length(len(TEXT))}
    for name, (title, constraint) in zip("AL", searches.items(), strict=True):
        axes = axes_of[name]
        (searched,) = search_texts(model.codec, calibrated(model, blurred)[np.newaxis], 1.0, Search(constraint, 5))
        found = searched.alternatives
        bars = axes.barh(range(len(found)), [one.confidence for one in found], height=0.66)
        bars[0].set_color(BLUE)
        for bar in bars[1:]:
            bar.set_color("#9db9da")
        for row, one in enumerate(found):
            axes.text(one.confidence + 0.01, row, f"{one.confidence:.3f}", va="center", fontsize=10)
        axes.set_yticks(range(len(found)), labels=[one.text for one in found], fontfamily=FONT, fontsize=12)
        axes.invert_yaxis()
        axes.set(xlim=(0, 0.85), xlabel="probability, summed over all alignments")
        axes.set_title(f"the five best of {title}", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_boxes(model: ImageToTextModel, image: Pixels) -> Figure:
    """Draw the steps at which characters are emitted, and the boxes derived from them."""
    reading = model.predict([image])[0]
    (decoded,) = model.codec.decode(model.probabilities([image]), model.configs.calibration.temperature)
    pixels_a_step = image.shape[1] / model.steps
    figure = Figure(figsize=(WIDTH, 3.3), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.imshow(_grey(image), cmap="gray", vmin=0, vmax=255)
    for character, span in zip(reading.characters, decoded.spans, strict=True):
        box = character.box
        if box is None:
            continue
        rectangle = (box.left - 0.5, box.top - 0.5), box.right - box.left, box.bottom - box.top
        axes.add_patch(Rectangle(*rectangle, edgecolor=BLUE, facecolor=BLUE + "18", linewidth=1.6))
        start, stop = (edge * pixels_a_step - 0.5 for edge in (span.first_step, span.last_step + 1))
        axes.add_patch(Rectangle((start, 51), stop - start, 3, facecolor=ORANGE))
        label = f"{character.character}\n{character.confidence:.4f}"
        axes.text((box.left + box.right) / 2, -3, label, ha="center", fontfamily=FONT, fontsize=11)
    ticks = range(0, model.steps + 1, 5)
    axes.set_xticks([step * pixels_a_step - 0.5 for step in ticks], labels=map(str, ticks))
    axes.set_ylim(55, -14)
    axes.set_yticks([])
    axes.set_xlabel("step; orange: steps at which the character is the most probable class; blue: boxes")
    axes.spines[:].set_visible(False)
    return figure


def calibrated(model: ImageToTextModel, image: Pixels) -> Floats:
    """Return the calibrated probabilities, float64 (steps, classes), from which confidences are computed."""
    probabilities = model.probabilities([image]).astype(np.float64)
    return with_temperature(probabilities, model.configs.calibration.temperature)[0]


def places_of(codec: CtcCodec, probabilities: Floats, text: str) -> tuple[list[str], Floats]:
    """Return the positions in a text, blanks included, and the probability of each at each step.

    Computed over all alignments of the text as forward times backward variables (Graves et al., ICML 2006, section
    4.1).

    Returns:
        The names of the positions, and float64 (steps, positions); each step sums to 1.
    """
    label = np.full(2 * len(text) + 1, codec.blank_index)
    label[1::2] = codec.encode(text)
    backward = _forward(probabilities[::-1], label[::-1])[::-1, ::-1]
    shares = _forward(probabilities, label) * backward / probabilities[:, label]  # contained in both factors
    return [_name(codec, index) for index in label], shares / shares.sum(axis=1, keepdims=True)


def _forward(probabilities: Floats, label: NDArray[np.intp]) -> Floats:
    """Return the forward variables: the probability of each position of a label after each step."""
    emitted = probabilities[:, label]
    skips = label[2:] != label[:-2]  # never from blank to blank, nor between equal characters
    variables = np.zeros_like(emitted)
    variables[0, :2] = emitted[0, :2]
    for step in range(1, len(emitted)):
        before = variables[step - 1]
        variables[step] = before
        variables[step, 1:] += before[:-1]
        variables[step, 2:] += before[:-2] * skips
        variables[step] *= emitted[step]
    return variables


def _show_image(axes: Axes, image: Pixels, steps: int) -> None:
    """Show an image with the width of the steps below it."""
    axes.imshow(_grey(image), cmap="gray", vmin=0, vmax=255, extent=(0, steps, 1, 0), aspect="auto")
    axes.tick_params(length=0, labelbottom=False)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _show_probabilities(axes: Axes, codec: CtcCodec, probabilities: Floats) -> None:
    rows = _rows(codec)
    _show_shares(axes, probabilities[:, rows])
    names = ["blank", *(_name(codec, index) for index in rows[1:])]
    axes.set_yticks(np.arange(len(rows)) + 0.5, labels=names, fontfamily=FONT, fontsize=8)


def _show_shares(axes: Axes, shares: Floats) -> None:
    """Show a heat map of probabilities (steps, rows), steps from left to right."""
    # The square root makes small probabilities visible.
    axes.pcolormesh(shares.T**0.5, cmap="Blues", vmin=0, vmax=1.1, edgecolors="#ececec", linewidth=0.3)
    axes.set_xticks(range(0, len(shares) + 1, 5))
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _rows(codec: CtcCodec) -> list[int]:
    """Return the classes from top to bottom: the blank, then the vocabulary."""
    return [codec.blank_index, *codec.encode(codec.vocab)]


def _grey(image: Pixels) -> Pixels:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def _name(codec: CtcCodec, index: int) -> str:
    return BLANK if index == codec.blank_index else codec.text([int(index)])


if __name__ == "__main__":
    main()
