"""The model card: what a model is, how it was made, how well it reads, and its limits."""

import textwrap
from typing import Any

from training.evaluation.markdown import CONFUSIONS_EXPLAINED, RELIABILITY_EXPLAINED, code_cell, processors, table
from training.evaluation.pictures import CONFUSIONS, RELIABILITY
from training.fitting.config import NO_START

CURVES = "learning_curves.png"
SHOWN = 50
"""Maximum number of wrong words listed."""
QUOTED = (
    "command",
    "images",
    "words_right",
    "wer_interval",
    "cer",
    "expected_calibration_error",
    "coverage_at_99.5",
    "coverage_at_99.9",
)


def write_card(metrics: dict[str, Any]) -> str:
    """Return the Markdown text of MODEL_CARD.md from the content of metrics.json."""
    data, training, validation, model = (metrics[key] for key in ("data", "training", "validation", "model"))
    return f"""# Model card: {model["name"]} {model["version"]}

Reads text of the characters `{model["vocab"]}` in images like those it was trained on, and nothing else.

| | |
|---|---|
| validation words read right | **{validation["words_right"]} of {validation["images"]}** |
| character error rate (CER) | {validation["cer"]:.2%} |
| word error rate (WER) | {validation["wer"]:.2%} |
| confidences | {_confidences(validation["confidence_histogram"])} |
| network | `{model["architecture"]}`, {model["weights"]:,} weights, {model["bytes"] / 1000:,.0f} kB |
| computes with | {_precision(model)} |
| input | {model["width"]}×{model["height"]}, {"grey" if model["channels"] == 1 else "colour"}, raw 0…255 |
| output | {model["steps"]} steps × {len(model["vocab"]) + 1} classes, probabilities, the blank last |
| made | {metrics["created"]} |

The figures are those of the exported ONNX model on the validation images, read through the service's own code.
{_wrong_words(validation["wrong"])}
![how often each character was read as which]({CONFUSIONS})

{CONFUSIONS_EXPLAINED}

![confidence against accuracy]({RELIABILITY})

{RELIABILITY_EXPLAINED}

The run folder has a grid of the worst readings, `worst_readings.png`. It shows images of the data and is therefore
not kept here.

{_crossval(metrics["crossval"])}## Robustness

The same validation images, changed:

{_robustness(metrics["robustness"])}

## Data

{_data(data, training["config"]["seed"])}

SHA-256 of images and labels: `{data["sha256"]}`

## Training

    {training["command"]}

{_training(training, drawn=not data["train"])}

{table(("setting", "value"), [(key.replace("_", " "), value) for key, value in training["config"].items()])}

![loss and error rates over the epochs]({CURVES})

All curves should fall and level out; a rising validation loss is a sign of overfitting.

Made with {", ".join(f"{name} {number}" for name, number in metrics["versions"].items())}.

## Limits

- It reads the kind of image that it was trained on. Other fonts, sizes, colours or characters need their own
  training. It always returns some text, even for images without text; the confidence is then usually low.
- {_rule_of_three(data["validation"])}
- Use it on images that you have a right to read: to measure the strength of your own captchas, not to get past
  other people's.
"""


def _confidences(histogram: dict[str, Any]) -> str:
    """Return the number of words in each bucket of confidence, highest first; the service monitors the same buckets."""
    edges = [0, *histogram["edges"], 1]
    buckets = zip(edges, edges[1:], histogram["counts"], strict=False)
    shown = [f"{count} of {lower:g} to {upper:g}" for lower, upper, count in buckets if count]
    return ", ".join(reversed(shown))


def _precision(model: dict[str, Any]) -> str:
    return "8-bit integers, except in the first and the last layer" if model["precision"] == "int8" else "32-bit floats"


def quotable(report: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a cross-validation report (crossval.json) that a card quotes."""
    return {key: report[key] for key in QUOTED} | {"labels": min(one["labels"] for one in report["trainings"])}


def _crossval(quoted: list[dict[str, Any]]) -> str:
    if not quoted:
        return ""
    rows = [
        (
            one["labels"],
            f"{one['words_right']:,} of {one['images']:,} ({one['words_right'] / one['images']:.2%})",
            f"{one['wer_interval'][0]:.2%} to {one['wer_interval'][1]:.2%}",
            f"{one['cer']:.2%}",
            f"{one['expected_calibration_error']:.2%}",
            *(f"{one[key]:.1%}" for key in ("coverage_at_99.5", "coverage_at_99.9")),
        )
        for one in quoted
    ]
    commands = "\n".join(f"    {one['command']}" for one in quoted)
    columns = ["labels", "words right", "WER, 95 % interval", "CER", "calibration error"]
    columns += ["coverage, 99.5 % right", "99.9 % right"]
    return f"""## Cross-validation

Images read by models that had not seen them, trained with the same settings:

{table(columns, rows)}

Coverage is the largest fraction of the words, most confident first, that reaches the accuracy.
The rows are from

{commands}

"""


def _robustness(rows: list[dict[str, Any]]) -> str:
    cells = [(row["change"], row["words_right"], f"{row['words_right'] / row['images']:.1%}") for row in rows]
    return table(("change", f"words right of {rows[0]['images']}", ""), cells)


def _data(data: dict[str, Any], seed: int) -> str:
    if not data["train"]:
        return _paragraph(
            f"{data['source'].capitalize()}, new ones for every step, and {data['validation']} others for validation, "
            f"with seed {seed}. Validation images are not trained on, but they selected the best epoch, and augmented "
            "copies of them the temperature of the confidences. They are as hard as the drawn pictures get: some are "
            "illegible."
        )
    of_data_set = ""
    if data["of_data_set"]:
        number, name, size = (data["of_data_set"][key] for key in ("images", "name", "size"))
        of_data_set = f" (by checksum, {number} of the {size} images of the published data set {name})"
    return _paragraph(
        f"{data['images']} labelled images of `{data['source']}`{of_data_set}: {data['train']} for training "
        f"(`train.csv`) and {data['validation']} for validation (`val.csv`), chosen at random with seed {seed}. "
        "Validation images are not trained on, but they selected the best epoch, and augmented copies of them the "
        "temperature of the confidences."
    )


def _training(training: dict[str, Any], *, drawn: bool) -> str:
    averaged = drawn and training["config"]["init"] != NO_START
    interrupted = "The training was interrupted by hand. " if training["interrupted"] else ""
    return _paragraph(
        f"{training['epochs']} epochs{_duration(training)} on {processors(training['cpus'])}. "
        f"{interrupted}The weights are from epoch {training['best_epoch']}, the latest that read about as many "
        f"validation words right as the best one{', averaged with the initial weights' if averaged else ''}."
    )


def _duration(training: dict[str, Any]) -> str:
    return f" in {training['seconds'] / 60:.1f} minutes" if training["seconds"] else ""


def _rule_of_three(images: int) -> str:
    return _paragraph(
        f"{images} validation images say little about rare errors: even with no error, the true error rate of words "
        f'may be up to {3 / images:.1%} (the "rule of three", 95 % confidence).',
        indent="  ",
    )


def _paragraph(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 116, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _wrong_words(wrong: list[dict[str, Any]]) -> str:
    if not wrong:
        return ""
    rows = [
        (code_cell(one["label"]), code_cell(one["prediction"]), f"{one['confidence']:.3f}") for one in wrong[:SHOWN]
    ]
    rest = f"\nand {len(wrong) - SHOWN} others; see `metrics.json`.\n" if len(wrong) > SHOWN else ""
    return f"\nRead wrong:\n\n{table(('label', 'read', 'confidence'), rows)}\n{rest}"
