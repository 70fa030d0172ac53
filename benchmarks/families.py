"""Accuracy of default trainings on several families of images.

    python -m benchmarks.families [--families NAME …] [--labels N] [--unseen N] [--jobs N] [--folder DIR] [--json FILE]

Draws each family's images, trains on the labelled ones like `python -m training train` by default, reads the unseen
ones, and prints a table. Run the same command again to continue after an interruption.
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
from training.exporting.versions import package_versions
from training.fitting.backend import load_tensorflow

MIN_LABELS = 3
INTERRUPTED = 130
PACKAGES = ("captcha", "pillow", "opencv-python-headless", "numpy")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen families, print a table and write the JSON file."""
    options = parse(arguments)
    load_tensorflow()
    from training.fitting.run import RunError

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    families = [FAMILIES[name] for name in options.families]
    try:
        rows = measure(families, options.folder, labels=options.labels, unseen=options.unseen, jobs=options.jobs)
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except RunError as error:
        sys.exit(str(error))
    print(to_markdown(rows))
    if options.json is not None:
        write_report(rows, options.jobs, options.json)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; exit with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--labels", type=int, default=1000, help="labelled images, a tenth of them for validation")
    parser.add_argument("--unseen", type=int, default=500, help="unseen images to read after the training")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at the same time")
    parser.add_argument("--folder", type=Path, default=Path("runs/families"))
    parser.add_argument("--json", type=Path, help="write all figures and the wrong words to this file")
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
    """Draw, train and read; skip what is already in the folder.

    Args:
        families: families to draw.
        folder: gets a folder for each family and number of images.
        labels: number of labelled images.
        unseen: number of further images to read.
        jobs: number of trainings at the same time, each in its own process.
        settings: non-default settings of the trainings; see `training.fitting.config.resolve_config`.

    Returns:
        The result of `describe` for each family, in order.

    Raises:
        KeyboardInterrupt: interrupted; another call continues.
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
    """Return a family's figures for the JSON file; rates are fractions, the interval is Wilson's at 95 %."""
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
    """Return the range of widths and heights of all images, such as 160×60 or 120–180×36–44."""
    sizes = []
    for sample in samples:
        with Image.open(sample.path) as image:
            sizes.append(image.size)
    return "×".join(
        str(side[0]) if len(set(side)) == 1 else f"{min(side)}–{max(side)}" for side in zip(*sizes, strict=True)
    )


def to_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures of all families as a Markdown table."""
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
    """Write all figures and the conditions of the measurement as JSON."""
    cpus = available_cpus()
    versions = {package: version(package) for package in PACKAGES} | package_versions()
    with write_atomically(path) as file:
        json.dump(
            {"families": list(rows), "jobs": jobs, "cpus": cpus, "versions": versions},
            file,
            indent=1,
            ensure_ascii=False,
        )


if __name__ == "__main__":
    main()
