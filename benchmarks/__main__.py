"""Benchmarks of this reader against others; `make bench` runs them.

    python -m benchmarks [SECTION …] [--rounds N] [--quick] [--json FILE] [--data DIR] [--tutorial-run RUN]
                         [--before DIR]

Each round measures each side once, in turn. The tables show medians over the rounds, and medians of the rounds' ratios,
with minimum and maximum. The peers run in `.venv-bench`, which `make bench` creates.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks import wrk
from benchmarks.common import PEERS_PYTHON, Setup, draw_uploads, export_tutorial, machine, newest_model, versions
from benchmarks.figures import BenchmarkError, Check, Section, Table, checks_table, in_words
from benchmarks.sections import batch, cost, decoders, growth, http, layers, read, sequence, stages, startup, training

SECTIONS: dict[str, Callable[[Setup], Section]] = {
    "stages": stages.measure,
    "sequence": sequence.measure,
    "decoders": decoders.measure,
    "cost": cost.measure,
    "layers": layers.measure,
    "http": http.measure,
    "batch": batch.measure,
    "read": read.measure,
    "startup": startup.measure,
    "training": training.measure,
    "growth": growth.measure,
}
WITH_PEERS = {"stages", "http"}
WITH_TUTORIAL = {*WITH_PEERS, "startup"}
WITH_LOAD = {"cost", "http", "batch"}
BUSY = 0.5  # runnable processes, on average over the last minute
UNPREPARED = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen sections; exit with status 1 if one could not be measured."""
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else 170)
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "model": newest_model().name,
        "rounds": options.rounds,
        "quick": options.quick,
        "sections": {},
    }
    report["sections"] = measured_before(options.json, report)
    show_machine(console, report)
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        setup = prepare(options, Path(folder))
        for name in options.sections:
            started = time.perf_counter()
            try:
                section = SECTIONS[name](setup)
            except BenchmarkError as error:
                failed.append(name)
                print(f"{name}: {error}", file=sys.stderr)
                continue
            report["sections"][name] = {**section, "seconds": round(time.perf_counter() - started, 1)}
            show(console, name, section)
            if options.json is not None:  # after every section, so that results are kept
                options.json.parent.mkdir(parents=True, exist_ok=True)
                options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    checks: list[Check] = [check for section in report["sections"].values() for check in section["checks"]]
    if checks:
        show_table(console, checks_table(checks))
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; exit with status 2 if they are wrong or a requirement is not installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare this reader with others.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; default: all")
    parser.add_argument("--rounds", type=int, help="measurements of each side  [default: 7; 2 with --quick]")
    parser.add_argument("--quick", action="store_true", help="a smoke test with less of everything")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--data", type=Path, help="labelled images for measuring the time to a low word error rate")
    parser.add_argument("--tutorial-run", type=Path, help="a finished run of the tutorial's network on these images")
    parser.add_argument("--before", type=Path, help="a checkout of another revision, for comparing cost and startup")
    options = parser.parse_args(arguments)
    options.sections = options.sections or list(SECTIONS)
    options.rounds = options.rounds or (2 if options.quick else 7)
    if unknown := set(options.sections) - SECTIONS.keys():
        parser.error(f"unknown section: {', '.join(sorted(unknown))}; choose from {', '.join(SECTIONS)}")
    if options.rounds < 1:
        parser.error("at least 1 round is needed")
    if WITH_LOAD.intersection(options.sections) and not wrk.is_installed():
        parser.exit(UNPREPARED, f"{wrk.MISSING}\n")
    if WITH_PEERS.intersection(options.sections) and not PEERS_PYTHON.exists():
        parser.exit(UNPREPARED, "the peers are not installed: make bench installs them first\n")
    return options


def measured_before(path: Path | None, report: dict[str, Any]) -> dict[str, Section]:
    """Return the earlier sections of a file if they were measured under the same conditions; else nothing."""
    if path is None or not path.exists():
        return {}
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    conditions = ("versions", "model", "rounds", "quick")
    machines = [{**one["machine"], "load_before": None} for one in (before, report)]
    same = machines[0] == machines[1] and all(before[key] == report[key] for key in conditions)
    sections: dict[str, Section] = before["sections"]
    return {name: sections[name] for name in SECTIONS if name in sections} if same else {}


def prepare(options: argparse.Namespace, folder: Path) -> Setup:
    """Draw the uploads, and create the tutorial's network if a section needs it."""
    setup = Setup(
        rounds=options.rounds,
        quick=options.quick,
        folder=folder,
        model=newest_model(),
        uploads=draw_uploads(folder / "uploads", newest_model()),
        data=options.data,
        tutorial_run=options.tutorial_run,
        before=None if options.before is None else options.before.absolute(),
    )
    if PEERS_PYTHON.exists() and WITH_TUTORIAL.intersection(options.sections):
        export_tutorial(setup.tutorial)
    return setup


def show_machine(console: Console, report: dict[str, Any]) -> None:
    """Print the machine, and a warning if other processes keep it busy."""
    for what in ("machine", "versions"):
        console.print(", ".join(f"{key} {value}" for key, value in report[what].items()), highlight=False)
    console.print(f"model {report['model']}, {report['rounds']} rounds: median (least–greatest)", highlight=False)
    if report["machine"]["load_before"] > BUSY:
        console.print("[bold]The machine is busy: do not quote these figures.[/]")


def show(console: Console, name: str, section: Section) -> None:
    """Print a section's tables, checks and notes."""
    console.rule(name, align="left")
    for table in section["tables"].values():
        show_table(console, table)
    for note in section["notes"]:
        console.print(note, highlight=False, markup=False)


def show_table(console: Console, table: Table) -> None:
    """Print a table to the console."""
    shown = RichTable(title=table["title"], title_justify="left", title_style="bold")
    for key, heading in table["columns"].items():
        words = all(isinstance(row[key], str) for row in table["rows"])
        shown.add_column(heading, justify="left" if words else "right")
    for row in table["rows"]:
        shown.add_row(*(in_words(row[key]) for key in table["columns"]))
    console.print(shown)


if __name__ == "__main__":
    main()
