"""What a cross-validation found: JSON for scripts, Markdown and a picture for people."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.inference.cpus import available_cpus
from training.crossval import PartResult, evaluation_of
from training.export import VERSIONED
from training.files import write_atomically
from training.plots import plot_reliability
from training.reliability import coverage_at, expected_calibration_error, wilson_interval

JSON_FILE, MARKDOWN_FILE, DIAGRAM = "crossval.json", "crossval.md", "reliability.png"
ACCEPTED_PRECISION = 0.999


def write_report(results: Sequence[PartResult], folder: Path, command: str) -> dict[str, Any]:
    """Write crossval.json, crossval.md and reliability.png.

    Args:
        results: of all parts.
        folder: where the files go.
        command: what was typed.

    Returns:
        The content of crossval.json.
    """
    report = make_report(results, command)
    with write_atomically(folder / JSON_FILE) as file:
        json.dump(report, file, indent=1, ensure_ascii=False)
    with write_atomically(folder / MARKDOWN_FILE) as file:
        file.write(to_markdown(report))
    lines = evaluation_of(results).lines
    plot_reliability([line.confidence for line in lines], [line.right for line in lines], folder / DIAGRAM)
    return report


def make_report(results: Sequence[PartResult], command: str) -> dict[str, Any]:
    """What crossval.json holds; rates are fractions, intervals are Wilson's at 95 %."""
    evaluation = evaluation_of(results)
    confidences = [line.confidence for line in evaluation.lines]
    right = [line.right for line in evaluation.lines]
    images = len(right)
    return evaluation.as_json() | {
        "wer_interval": wilson_interval(images - sum(right), images),
        "expected_calibration_error": expected_calibration_error(confidences, right),
        "coverage_at_99.9": coverage_at(ACCEPTED_PRECISION, confidences, right),
        "trainings": [
            {
                "name": result.name,
                "labels": result.known,
                "images": len(result.lines),
                "words_right": result.words_right,
                "seconds": round(result.seconds, 1),
            }
            for result in results
        ],
        "command": command,
        "cpus": available_cpus(),
        "versions": {package: version(package) for package in VERSIONED},
    }


def to_markdown(report: dict[str, Any]) -> str:
    """The text of crossval.md."""
    low, high = report["wer_interval"]
    wrong = report["images"] - report["words_right"]
    trainings = "\n".join(
        f"| {one['name']} | {one['labels']} | {one['words_right']} of {one['images']} | {one['seconds'] / 60:.1f} |"
        for one in report["trainings"]
    )
    return f"""# Cross-validation

    {report["command"]}

Every image was read by a model that had not seen it.

| | |
|---|---|
| words read right | **{report["words_right"]} of {report["images"]}** |
| word error rate (WER) | {report["wer"]:.2%}, 95 % interval {low:.2%} to {high:.2%} |
| character error rate (CER) | {report["cer"]:.3%} |
| expected calibration error | {report["expected_calibration_error"]:.2%} |
| words of the highest confidences, 99.9 % of them right | {report["coverage_at_99.9"]:.1%} |
| minutes of training, all together | {report["seconds"] / 60:.1f} on {report["cpus"]} processors |

![confidence against accuracy]({DIAGRAM})

## Trainings

| training | labels | words right | minutes |
|---|---|---|---|
{trainings}

## Read wrong: {wrong}

{_wrong(report["wrong"])}
Made with {", ".join(f"{name} {number}" for name, number in report["versions"].items())}.
"""


def _wrong(lines: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"| {line['path']} | `{line['label']}` | `{line['prediction']}` | {line['confidence']:.3f} |\n"
        for line in lines
    )
    return f"| image | label | read | confidence |\n|---|---|---|---|\n{rows}\n" if rows else ""
