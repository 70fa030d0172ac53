"""The model card: what a model is, how it was made, how well it reads and what it is not for."""

from typing import Any

CURVES = "learning_curves.png"


def write_card(metrics: dict[str, Any]) -> str:
    """The Markdown text of MODEL_CARD.md.

    Args:
        metrics: the content of metrics.json.
    """
    data, training, validation, model = (metrics[key] for key in ("data", "training", "validation", "model"))
    interrupted = (
        "\nThe training was interrupted by hand; these are its best weights.\n" if training["interrupted"] else ""
    )
    return f"""# Model card: {model["name"]} {model["version"]}

Reads text of the characters `{model["vocab"]}` in images like those it was trained on, and nothing else.

| | |
|---|---|
| validation words read right | **{validation["words_right"]} of {validation["images"]}** |
| character error rate (CER) | {validation["cer"]:.2%} |
| word error rate (WER) | {validation["wer"]:.2%} |
| network | `{model["architecture"]}`, {model["weights"]:,} weights, {model["bytes"] / 1000:,.0f} kB |
| input | {model["width"]}×{model["height"]}, {"grey" if model["channels"] == 1 else "colour"}, raw 0…255 |
| output | {model["steps"]} steps × {len(model["vocab"]) + 1} classes, probabilities, the blank last |
| made | {metrics["created"]} |

The figures are those of the exported ONNX model on the validation images, read through the service's own code.
{_wrong_words(validation["wrong"])}
## Data

{data["images"]} labelled images of `{data["source"]}`: {data["train"]} to train on (`train.csv`) and
{data["validation"]} to validate on (`val.csv`), chosen at random with seed {training["config"]["seed"]}. The validation
images are never augmented and no weight was fitted to them, but they did choose the epoch whose weights were kept.
SHA-256 of images and labels: `{data["sha256"]}`.

## Training

    {training["command"]}

{training["epochs"]} epochs in {training["seconds"] / 60:.1f} minutes on {training["cpus"]} processors; the weights are
those of epoch {training["best_epoch"]}, which read the most validation words right (then characters; of equals the
latest).
{interrupted}
{_table(training["config"])}

![loss and error rates over the epochs]({CURVES})

Made with {", ".join(f"{name} {number}" for name, number in metrics["versions"].items())}.

## Limits

- It reads the kind of image that it was trained on. Other fonts, sizes, colours or characters need a training of
  their own. It always answers with some text, also where there is none; the confidence is then usually low.
- {data["validation"]} validation images say little about rare errors: with none of them wrong, the true share of wrong
  words may still be up to {3 / data["validation"]:.1%} (the "rule of three", 95 % confidence).
- Use it on images that you have a right to read: to measure the strength of your own captchas, not to get past
  other people's.
"""


def _wrong_words(wrong: list[dict[str, Any]]) -> str:
    if not wrong:
        return ""
    rows = "\n".join(f"| `{line['label']}` | `{line['prediction']}` | {line['confidence']:.3f} |" for line in wrong)
    return f"\nRead wrong:\n\n| label | read | confidence |\n|---|---|---|\n{rows}\n"


def _table(config: dict[str, Any]) -> str:
    rows = "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in config.items())
    return f"| setting | value |\n|---|---|\n{rows}"
