"""What the sections hand back: figures over several rounds, tables of them, and what was wanted.

All of it is plain data, so that a table printed from the JSON file is the one printed after the run.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict


class Figure(TypedDict):
    """A quantity, measured once a round."""

    median: float
    min: float
    max: float
    rounds: list[float]


Cell = Figure | str | int | None
Row = dict[str, Cell]


class Table(TypedDict):
    """Rows for people and programs; `columns` gives each key of the rows its heading."""

    title: str
    columns: dict[str, str]
    rows: list[Row]


class Check(TypedDict):
    """A figure that was wanted."""

    what: str
    figure: Figure
    wanted: str
    ok: bool


class Section(TypedDict):
    """What one part of the benchmark found; `tables` are by name, which the documentation refers to."""

    tables: dict[str, Table]
    checks: list[Check]
    notes: list[str]


class BenchmarkError(Exception):
    """A measurement cannot be trusted or made; the message says why and what to do."""


def figure(values: Sequence[float]) -> Figure:
    """The median of the rounds and their spread."""
    return Figure(median=statistics.median(values), min=min(values), max=max(values), rounds=list(values))


def ratio(of: Figure, to: Figure) -> Figure:
    """The median of the rounds' ratios: what disturbed a whole round disturbed both sides."""
    return figure([a / b for a, b in zip(of["rounds"], to["rounds"], strict=True)])


def scaled(of: Figure, factor: float) -> Figure:
    """The same in another unit."""
    return figure([factor * value for value in of["rounds"]])


def by_name(rounds: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
    """From one mapping of names to values a round to a figure a name."""
    return {name: figure([values[name] for values in rounds]) for name in rounds[0]}


def at_least(what: str, measured: Figure, limit: float) -> Check:
    """Whether a figure is as large as wanted."""
    return Check(what=what, figure=measured, wanted=f"≥ {limit:g}", ok=measured["median"] >= limit)


def below(what: str, measured: Figure, limit: float) -> Check:
    """Whether a figure is as small as wanted."""
    return Check(what=what, figure=measured, wanted=f"< {limit:g}", ok=measured["median"] < limit)


def checks_table(checks: Sequence[Check]) -> Table:
    """The wanted figures as a table."""
    columns = {"what": "", "figure": "measured", "wanted": "wanted", "mark": ""}
    rows: list[Row] = [
        {
            "what": check["what"],
            "figure": check["figure"],
            "wanted": check["wanted"],
            "mark": "ok" if check["ok"] else "missed",
        }
        for check in checks
    ]
    return Table(title="Wanted", columns=columns, rows=rows)


def in_words(cell: Cell) -> str:
    """A cell for people: three digits, and the spread where there were several rounds."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    median = _three_digits(cell["median"])
    if len(cell["rounds"]) == 1:
        return median
    return f"{median} ({_three_digits(cell['min'])}–{_three_digits(cell['max'])})"


def _three_digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
