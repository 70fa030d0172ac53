"""Results of the sections: figures over several rounds, tables of figures, and checks.

All are plain data, so the tables printed from a JSON file equal those printed after the run.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict


class Figure(TypedDict):
    """A quantity, measured once per round."""

    median: float
    min: float
    max: float
    rounds: list[float]


Cell = Figure | str | int | None
Row = dict[str, Cell]


class Table(TypedDict):
    """Rows for people and programs; `columns` maps each key of the rows to its heading."""

    title: str
    columns: dict[str, str]
    rows: list[Row]


class Check(TypedDict):
    """A figure and its required limit."""

    what: str
    figure: Figure
    wanted: str
    ok: bool


class Section(TypedDict):
    """The results of one section; `tables` are keyed by the names that the documentation uses."""

    tables: dict[str, Table]
    checks: list[Check]
    notes: list[str]


class BenchmarkError(Exception):
    """A measurement failed or cannot be trusted; the message says why and how to fix it."""


def figure(values: Sequence[float]) -> Figure:
    """Return the median over the rounds, with minimum and maximum."""
    return Figure(median=statistics.median(values), min=min(values), max=max(values), rounds=list(values))


def ratio(of: Figure, to: Figure) -> Figure:
    """Return the median of the rounds' ratios: a disturbance of a whole round affects both sides."""
    return figure([a / b for a, b in zip(of["rounds"], to["rounds"], strict=True)])


def scaled(of: Figure, factor: float) -> Figure:
    """Return a figure in another unit."""
    return figure([factor * value for value in of["rounds"]])


def by_name(rounds: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
    """Convert one mapping of names to values per round to one figure per name."""
    return {name: figure([values[name] for values in rounds]) for name in rounds[0]}


def at_least(what: str, measured: Figure, limit: float) -> Check:
    """Return a check that a figure reaches a limit."""
    return Check(what=what, figure=measured, wanted=f"≥ {limit:g}", ok=measured["median"] >= limit)


def below(what: str, measured: Figure, limit: float) -> Check:
    """Return a check that a figure stays below a limit."""
    return Check(what=what, figure=measured, wanted=f"< {limit:g}", ok=measured["median"] < limit)


def checks_table(checks: Sequence[Check]) -> Table:
    """Return the checks as a table."""
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
    """Return a cell as text: three digits, and the range if there were several rounds."""
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
