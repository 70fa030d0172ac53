"""The report of a cross-validation: JSON, Markdown and plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.shared.cpus import available_cpus
from app.shared.files import write_atomically, write_json
from training.evaluation.markdown import CONFUSIONS_EXPLAINED, RELIABILITY_EXPLAINED, code_cell, processors, table
from training.evaluation.pictures import CONFUSIONS, RELIABILITY, draw_pictures
from training.evaluation.reliability import coverage_at, expected_calibration_error, wilson_interval
from training.exporting.versions import package_versions
from training.pipeline.crossval import PartResult, evaluation_of

JSON_FILE, MARKDOWN_FILE, WORST = "crossval.json", "crossval.md", "worst_readings.png"
ACCEPTED_PRECISIONS = (0.995, 0.999)
MAX_CONFUSIONS = 20


def write_report(results: Sequence[PartResult], folder: Path, command: str) -> dict[str, Any]:
    """Write crossval.json, crossval.md and its plots to the folder of a cross-validation.

    Returns:
        The content of crossval.json.
    """
    report = make_report(results, command)
    write_json(report, folder / JSON_FILE)
    with write_atomically(folder / MARKDOWN_FILE) as file:
        file.write(to_markdown(report))
    draw_pictures(evaluation_of(results).lines, folder, folder / WORST)
    return report


def make_report(results: Sequence[PartResult], command: str) -> dict[str, Any]:
    """Return the content of crossval.json; rates are fractions, intervals are Wilson's at 95 %."""
    evaluation = evaluation_of(results)
    confidences = [line.confidence for line in evaluation.lines]
    right = [line.right for line in evaluation.lines]
    images = len(right)
    return evaluation.as_json() | {
        "wer_interval": wilson_interval(images - sum(right), images),
        "expected_calibration_error": expected_calibration_error(confidences, right),
        **{_coverage_key(one): coverage_at(one, confidences, right) for one in ACCEPTED_PRECISIONS},
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
        "versions": package_versions(),
    }


def to_markdown(report: dict[str, Any]) -> str:
    """Return the text of crossval.md."""
    low, high = report["wer_interval"]
    wrong = report["images"] - report["words_right"]
    coverages = "\n".join(
        f"| coverage: most confident words, {precision:.1%} of them right | {report[_coverage_key(precision)]:.1%} |"
        for precision in ACCEPTED_PRECISIONS
    )
    trainings = [
        (one["name"], one["labels"], f"{one['words_right']} of {one['images']}", f"{one['seconds'] / 60:.1f}")
        for one in report["trainings"]
    ]
    return f"""# Cross-validation

    {report["command"]}

Every image was read by a model that had not seen it.

| | |
|---|---|
| words read right | **{report["words_right"]} of {report["images"]}** |
| word error rate (WER) | {report["wer"]:.2%}, 95 % interval {low:.2%} to {high:.2%} |
| character error rate (CER) | {report["cer"]:.3%} |
| expected calibration error | {report["expected_calibration_error"]:.2%} |
{coverages}
| minutes of training, all together | {report["seconds"] / 60:.1f} on {processors(report["cpus"])} |

![confidence against accuracy]({RELIABILITY})

{RELIABILITY_EXPLAINED}

## Trainings

{table(("training", "labels", "words right", "minutes"), trainings)}

## Read wrong: {wrong}

{_wrong(report["wrong"])}
![the images that were read worst]({WORST})

The grid shows images of the data: store it only where these may be stored.

## Confusions

![how often each character was read as which]({CONFUSIONS})

{CONFUSIONS_EXPLAINED}

{_confusions(report["confusions"])}
Made with {", ".join(f"{name} {number}" for name, number in report["versions"].items())}.
"""


def _coverage_key(precision: float) -> str:
    return f"coverage_at_{100 * precision:g}"


def _wrong(lines: list[dict[str, Any]]) -> str:
    rows = [
        (line["path"], code_cell(line["label"]), code_cell(line["prediction"]), f"{line['confidence']:.3f}")
        for line in lines
    ]
    return f"{table(('image', 'label', 'read', 'confidence'), rows)}\n"


def _confusions(confusions: list[dict[str, Any]]) -> str:
    """Return the table of the most frequent confusions; "" if there are none."""
    rows = [(code_cell(one["label"]), code_cell(one["read"]), one["count"]) for one in confusions[:MAX_CONFUSIONS]]
    left_out = len(confusions) - MAX_CONFUSIONS
    more = f"\nThe {MAX_CONFUSIONS} most frequent; crossval.json has {left_out} more.\n" if left_out > 0 else ""
    return f"{table(('label', 'read', 'times'), rows)}\n{more}"
