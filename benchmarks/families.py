"""How well the default settings learn to read images of several families.

    python -m benchmarks.families [--families NAME …] [--labels N] [--unseen N] [--jobs N] [--folder DIR] [--json FILE]

Draws each family's images, trains on the labelled ones as `python -m training train` does by default, reads those that
the model has not seen, and prints a table. Interrupted, the same command goes on where it was.
"""

import argparse
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from app.shared.cpus import available_cpus
from app.shared.files import write_atomically
from benchmarks.family_images import FAMILIES, Family, draw_family
from training.data.dataset import Sample
from training.evaluation.evaluate import Evaluation
from training.evaluation.markdown import table
from training.evaluation.reliability import wilson_interval
from training.fitting.backend import load_tensorflow

MIN_LABELS = 3
INTERRUPTED = 130
VERSIONED = ("captcha", "pillow", "opencv-python-headless", "numpy", "keras", "tensorflow", "onnxruntime")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names, print a table and write the JSON file."""
    options = parse(arguments)
    load_tensorflow()
    from training.fitting.run import RunError

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    families = [FAMILIES[name] for name in options.families]
    try:
        rows = measure(families, options.folder, labels=options.labels, unseen=options.unseen, jobs=options.jobs)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except RunError as error:
        sys.exit(str(error))
    print(to_markdown(rows))
    if options.json is not None:
        write_report(rows, options.jobs, options.json)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line; ends with status 2 on wrong ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--labels", type=int, default=1000, help="images to learn from, a tenth to validate on")
    parser.add_argument("--unseen", type=int, default=500, help="images to read then")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at the same time")
    parser.add_argument("--folder", type=Path, default=Path("runs/families"))
    parser.add_argument("--json", type=Path, help="write all figures, and the words read wrong, to this file")
    options = parser.parse_args(arguments)
    if options.labels < MIN_LABELS or options.unseen < 1 or options.jobs < 1:
        parser.error(f"at least {MIN_LABELS} labels, 1 unseen image and 1 job are needed")
    return options


def measure(
    families: Sequence[Family],
    folder: Path,
    *,
    labels: int,
    unseen: int,
    jobs: int,
    settings: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Draw, train and read; what is in the folder already is not done again.

    Args:
        families: what to draw.
        folder: takes a folder for each family and number of images.
        labels: images to learn from.
        unseen: further images to read.
        jobs: how many trainings run at the same time, each in a process of its own.
        settings: of the trainings, other than the defaults; see `training.fitting.config.resolve_config`.

    Returns:
        For each family, in their order, what `describe` says.

    Raises:
        KeyboardInterrupt: interrupted; calling it again goes on.
    """
    from training.pipeline.crossval import Part, evaluation_of, run_parts

    parts: dict[str, Part] = {}
    for family in families:
        name = f"{family.name}-{labels}-{unseen}"
        samples = draw_family(family, folder / name / "images", labels + unseen)
        parts[name] = Part(name, samples[:labels], samples[labels:], seed=0)
    evaluations = {}
    with closing(run_parts(list(parts.values()), folder, dict(settings or {}), jobs)) as done:
        for result in done:
            evaluations[result.name] = evaluation_of([result])
            print(f"{result.name}: {result.words_right} of {len(result.lines)} words right", file=sys.stderr)
    return [
        describe(family, [*part.known, *part.unseen], labels, evaluations[name])
        for family, (name, part) in zip(families, parts.items(), strict=True)
    ]


def describe(family: Family, samples: Sequence[Sample], labels: int, evaluation: Evaluation) -> dict[str, Any]:
    """A family's figures for the JSON file; rates are fractions, the interval is Wilson's at 95 %."""
    images = len(evaluation.lines)
    low, high = wilson_interval(images - evaluation.words_right, images)
    return {
        "family": family.name,
        "size": size_of(samples),
        "alphabet": family.alphabet,
        "lengths": family.lengths,
        "labels": labels,
        "words_right_interval": (1 - high, 1 - low),
        **evaluation.as_json(),
    }


def size_of(samples: Sequence[Sample]) -> str:
    """Widths and heights of all images, such as 160×60 or 120–180×36–44."""
    sizes = []
    for sample in samples:
        with Image.open(sample.path) as image:
            sizes.append(image.size)
    return "×".join(
        str(side[0]) if len(set(side)) == 1 else f"{min(side)}–{max(side)}" for side in zip(*sizes, strict=True)
    )


def to_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The figures of all families as a table for people."""
    header = ("family", "image", "alphabet", "length", "labels", "words right", "95 % interval", "CER", "minutes")
    cells = [
        (
            *(row["family"], row["size"], len(row["alphabet"]), row["lengths"], row["labels"]),
            f"{row['words_right']} of {row['images']} ({1 - row['wer']:.1%})",
            " to ".join(f"{bound:.1%}" for bound in row["words_right_interval"]),
            f"{row['cer']:.2%}",
            f"{row['seconds'] / 60:.1f}",
        )
        for row in rows
    ]
    return table(header, cells)


def write_report(rows: Sequence[Mapping[str, Any]], jobs: int, path: Path) -> None:
    """Write all figures as JSON, with what else they depend on."""
    cpus = available_cpus()
    versions = {package: version(package) for package in VERSIONED}
    with write_atomically(path) as file:
        json.dump(
            {"families": list(rows), "jobs": jobs, "cpus": cpus, "versions": versions},
            file,
            indent=1,
            ensure_ascii=False,
        )


if __name__ == "__main__":
    main()
