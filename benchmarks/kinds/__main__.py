"""Accuracy on many kinds of real pictures, with no labels to all labels.

    python -m benchmarks.kinds DIR [--labels 0 25 100 all] [--kinds NAME …] [--jobs N] [--foreign] [--json FILE]

DIR has a folder per kind with `test.csv` (read only) and `pool.csv` (for training), both `path,label`. With 0 labels
the general model reads. Otherwise `python -m training train` trains with its defaults on the first images of the pool,
and on the remaining ones without their labels. With --foreign, each model also reads images of other kinds, and the
accepted ones are counted. Run the same command again to continue after an interruption.
"""

import argparse
import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.inference.models.folders import version_folders
from app.shared.files import lock, write_atomically
from app.shared.suggestions import did_you_mean
from benchmarks.common import PEERS_PYTHON, ROOT, machine, versions
from benchmarks.figures import BenchmarkError, Table
from benchmarks.kinds.cells import (
    NONE,
    PEERS,
    Cell,
    Readers,
    Result,
    make_cells,
    measure,
    stored_result,
)
from benchmarks.kinds.folders import ALL, Kind, read_kinds
from benchmarks.kinds.processes import Shares
from benchmarks.kinds.rejection import Rejection, measure_rejections, rejection_table
from benchmarks.kinds.tables import Results, comparison, failures, labels_table, peers_table, summary
from benchmarks.report import to_markdown

Rejections = dict[str, list[Rejection]]
"""By number of labels."""
GENERAL = ROOT / "model_store" / "general"
INTERRUPTED = 130
PROCESSORS = len(os.sched_getaffinity(0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen cells, print tables and write the JSON file."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        kinds = read_kinds(options.folder, options.kinds)
        general = (options.model or newest_general(options.labels)).absolute()
        readers = Readers(general, options.train_options, options.code)
        cells = make_cells(kinds, [*options.labels, *installed_peers()], readers, options.results)
        with locked(options.results):
            results, rejections = asyncio.run(measure_all(cells, kinds, readers, options))
    except BenchmarkError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        sys.exit(INTERRUPTED)
    tables = [labels_table(labels, kinds, results) for labels in options.labels]
    if any(name in results for name in PEERS):
        tables.append(peers_table(kinds, results))
    tables += [rejection_table(labels, found) for labels, found in rejections.items() if found]
    print("\n\n".join([*map(to_markdown, tables), *comparison(kinds, results)]))
    if options.json is not None:
        write_report(options.json, kinds, results, rejections, tables)
    if failed := failures(kinds, results):
        sys.exit("not measured:\n" + "\n".join(failed))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; exit with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="has a folder per kind")
    parser.add_argument("--labels", nargs="*", default=[NONE, "25", "100", ALL], metavar="N", help="numbers, or all")
    parser.add_argument("--kinds", nargs="+", metavar="NAME", help="[default: all]")
    parser.add_argument(
        "--jobs", type=int, default=min(2, PROCESSORS), help="trainings at the same time; they share the processors"
    )
    parser.add_argument("--model", type=Path, help="model for 0 labels [default: the newest general model]")
    parser.add_argument(
        "--train-options", type=shlex.split, default=[], metavar="'--OPTION …'", help="options for the trainings"
    )
    parser.add_argument("--code", metavar="NAME", help="name for stored trainings [default: a checksum of the code]")
    parser.add_argument("--results", type=Path, default=ROOT / "runs" / "kinds", help="folder of the results")
    parser.add_argument("--foreign", action="store_true", help="also let each model read images of other kinds")
    parser.add_argument("--json", type=Path, help="write all figures and readings to this file")
    options = parser.parse_args(arguments)
    if not all(labels == ALL or labels.isdecimal() for labels in options.labels):
        parser.error("--labels takes numbers, or all")
    if options.model is not None and not options.model.is_dir():
        parser.error(f"{options.model} is not the folder of a model{did_you_mean(options.model)}")
    if not 1 <= options.jobs <= PROCESSORS:
        parser.error(f"there are processors for 1 to {PROCESSORS} jobs")
    if options.json is not None and not options.json.parent.is_dir():
        parser.error(f"{options.json.parent} does not exist")
    return options


def newest_general(labels: Sequence[str]) -> Path:
    """Return the folder of the newest general model.

    Raises:
        BenchmarkError: `labels` requires it, but it does not exist.
    """
    found = version_folders(GENERAL)
    if NONE in labels and not found:
        raise BenchmarkError("there is no general model in model_store/general; give one with --model DIR")
    return found[0] if found else GENERAL


def installed_peers() -> tuple[str, ...]:
    """Return the installed peers."""
    if PEERS_PYTHON.exists():
        return PEERS
    print("the peers are not installed: make bench installs them", file=sys.stderr)
    return ()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder of results, as another command would remove results in progress.

    Raises:
        BenchmarkError: another command uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        if not lock(file):
            raise BenchmarkError(f"another command uses {folder}; wait for it, or choose another --results")
        yield


async def measure_all(
    cells: Sequence[Cell], kinds: Sequence[Kind], readers: Readers, options: argparse.Namespace
) -> tuple[Results, Rejections]:
    """Measure all cells, and rejection by their models if requested."""
    results = await measure_cells(cells, options.jobs, readers)
    rejections: Rejections = {}
    for labels in options.labels if options.foreign else ():
        place = options.results.absolute() / "foreign"
        rejections[labels] = await measure_rejections(labels, kinds, results[labels], place, options.jobs)
    return results, rejections


async def measure_cells(cells: Sequence[Cell], jobs: int, readers: Readers) -> Results:
    """Measure all unmeasured cells, `jobs` at a time; print a line per cell to standard error.

    Returns:
        Results by reader and kind; failed cells have an error, and are not stored.
    """
    shares = Shares(jobs)

    async def measured(cell: Cell) -> Result:
        if (stored := stored_result(cell)) is not None:
            return stored
        async with shares.take() as processors:
            print(f"{cell.name} …", file=sys.stderr)
            try:
                result = await measure(cell, processors, readers)
            except BenchmarkError as error:
                result = Result(error=str(error))
        print(f"{cell.name}: {summarise(result)}", file=sys.stderr)
        return result

    results: dict[str, dict[str, Result]] = {}
    for cell, result in zip(cells, await asyncio.gather(*map(measured, cells)), strict=True):
        results.setdefault(cell.reader, {})[cell.kind.name] = result
    return results


def summarise(result: Result) -> str:
    """Describe the result of a cell in a few words."""
    if "error" in result:
        return result["error"].splitlines()[-1]
    return f"{result['score']['words_right']} of {result['score']['images']} words right"


def write_report(
    path: Path, kinds: Sequence[Kind], results: Results, rejections: Rejections, tables: Sequence[Table]
) -> None:
    """Write all figures and readings, and the conditions of the measurement, as JSON."""
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "kinds": {
            kind.name: {
                "latin": kind.is_latin,
                "checksum": kind.checksum,
                "labels": [sample.label for sample in kind.test],
            }
            for kind in kinds
        },
        "results": results,
        "median_and_worst": {
            reader: summary(kinds, by_kind, any_case=reader == NONE or reader in PEERS)
            for reader, by_kind in results.items()
        },
        "rejections": {labels: [asdict(one) for one in found] for labels, found in rejections.items()},
        "tables": tables,
    }
    with write_atomically(path) as file:
        json.dump(report, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
