"""Tables of the results."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.figures import Row, Table
from benchmarks.kinds.cells import NONE, PEERS, Result
from benchmarks.kinds.folders import Kind
from benchmarks.kinds.scores import Score, interval, median_and_worst

Results = Mapping[str, Mapping[str, Result]]
"""By reader, then by kind."""
SHOWN = {"ddddocr": "ddddocr", "rapidocr": "RapidOCR's recogniser"}
LATIN, EVERY = "digits and Latin letters", "all kinds"


def labels_table(labels: str, kinds: Sequence[Kind], results: Results) -> Table:
    """Return the table for a number of labels: a row per kind, then median and worst, with the peers beside them.

    A kind that could not be trained on counts as entirely wrong.
    """
    any_case = labels == NONE
    peers = [name for name in PEERS if name in results]
    columns = {"kind": "", "right": "words right", "interval": "95 % interval"}
    if any_case:
        columns |= {"folded": "case ignored", "folded_interval": "95 % interval"}
    columns |= {"cer": "CER"} | ({} if any_case else {"minutes": "minutes", "processors": "on processors"})
    columns |= {"network": "network", "size": "MB", "milliseconds": "ms per image"}
    columns |= {name: f"{SHOWN[name]}, case ignored" for name in peers}
    rows = [_kind_row(kind.name, results[labels][kind.name], any_case) for kind in kinds]
    for row, kind in zip(rows, kinds, strict=True):
        row |= {name: _percent(share(results[name].get(kind.name), any_case=True)) for name in peers}
    summed = {"right": (labels, False), "folded": (labels, True)} | {name: (name, True) for name in peers}
    rows += _summary_rows(kinds, results, {key: of for key, of in summed.items() if key in columns}, columns)
    title = "No labels: the general model" if any_case else f"{'All' if labels == 'all' else labels} labels"
    return Table(title=title, columns=columns, rows=rows)


def peers_table(kinds: Sequence[Kind], results: Results) -> Table:
    """Return the table of the peers: accuracy ignoring case, and milliseconds per image."""
    peers = [name for name in PEERS if name in results]
    columns = {"kind": ""}
    for name in peers:
        columns |= {name: SHOWN[name], f"{name} interval": "95 % interval"}
        columns |= {f"{name} cer": "CER", f"{name} ms": "ms per image"}
    rows: list[Row] = []
    for kind in kinds:
        row: Row = {"kind": kind.name}
        for name in peers:
            result = results[name][kind.name]
            row[name] = _right(result, any_case=True)
            row[f"{name} interval"] = _interval(result, any_case=True)
            row[f"{name} cer"] = _of_score(result, lambda one: f"{one['cer_any_case']:.1%}")
            row[f"{name} ms"] = _milliseconds(result)
        rows.append(row)
    rows += _summary_rows(kinds, results, {name: (name, True) for name in peers}, columns)
    return Table(title="Others without labels, case ignored", columns=columns, rows=rows)


def comparison(kinds: Sequence[Kind], results: Results) -> list[str]:
    """Describe on how many kinds the general model reads more words than each peer, ignoring case."""
    latin = [kind.name for kind in kinds if kind.is_latin]
    lines = []
    for peer in PEERS:
        if NONE in results and peer in results:
            above = sum(
                share(results[NONE][one], any_case=True) > share(results[peer][one], any_case=True) for one in latin
            )
            lines.append(f"Without labels above {SHOWN[peer]} on {above} of {len(latin)} kinds in {LATIN}.")
    return lines


def summary(kinds: Sequence[Kind], results: Mapping[str, Result], *, any_case: bool) -> dict[str, tuple[float, float]]:
    """Return median and worst fraction of words right, over kinds in digits and Latin letters and over all kinds."""
    groups = {LATIN: [kind for kind in kinds if kind.is_latin], EVERY: kinds}
    return {
        name: median_and_worst([share(results.get(kind.name), any_case=any_case) for kind in group])
        for name, group in groups.items()
        if group
    }


def share(result: Result | None, *, any_case: bool) -> float:
    """Return the fraction of words read correctly; 0 if nothing could be read."""
    if result is None or "score" not in result:
        return 0.0
    return _count(result["score"], any_case) / result["score"]["images"]


def failures(kinds: Sequence[Kind], results: Results) -> list[str]:
    """Return a line for each cell that could not be measured, with the reason."""
    return [
        f"{kind.name}, {reader}: {result['error']}"
        for reader, by_kind in results.items()
        for kind in kinds
        if "error" in (result := by_kind[kind.name])
    ]


def _kind_row(name: str, result: Result, any_case: bool) -> Row:
    network = result.get("network")
    return {
        "kind": name,
        "right": _right(result, any_case=False),
        "interval": _interval(result, any_case=False),
        "folded": _right(result, any_case=True),
        "folded_interval": _interval(result, any_case=True),
        "cer": _of_score(result, lambda one: f"{one['cer_any_case' if any_case else 'cer']:.1%}"),
        "minutes": f"{result['minutes']:.1f}" if "minutes" in result else "–",
        "processors": str(result.get("processors", "–")),
        "network": f"{network['architecture']} {network['input']}" if network and network["architecture"] else "–",
        "size": f"{network['bytes'] / 1e6:.2f}" if network else "–",
        "milliseconds": _milliseconds(result),
    }


def _summary_rows(
    kinds: Sequence[Kind], results: Results, summed: Mapping[str, tuple[str, bool]], columns: Mapping[str, str]
) -> list[Row]:
    """Return the rows of medians and worsts; `summed` maps a column to its reader and whether case is ignored."""
    found = {key: summary(kinds, results[reader], any_case=folded) for key, (reader, folded) in summed.items()}
    groups = next(iter(found.values()), {})
    rows: list[Row] = []
    for group in groups:
        for index, what in enumerate(("median", "worst")):
            shares = {key: _percent(by_group[group][index]) for key, by_group in found.items()}
            rows.append({**dict.fromkeys(columns, ""), **shares, "kind": f"**{what}, {group}**"})
    return rows


def _right(result: Result, *, any_case: bool) -> str:
    return _of_score(
        result, lambda one: f"{_count(one, any_case)} of {one['images']} ({_count(one, any_case) / one['images']:.1%})"
    )


def _interval(result: Result, *, any_case: bool) -> str:
    return _of_score(result, lambda one: "{:.1%} to {:.1%}".format(*interval(_count(one, any_case), one["images"])))


def _of_score(result: Result, show: Callable[[Score], str]) -> str:
    return show(result["score"]) if "score" in result else "failed"


def _milliseconds(result: Result) -> str:
    milliseconds = result.get("milliseconds")
    return "–" if milliseconds is None else f"{milliseconds:.2f}"


def _count(one: Score, any_case: bool) -> int:
    return one["words_right_any_case" if any_case else "words_right"]


def _percent(fraction: float) -> str:
    return f"{fraction:.1%}"
