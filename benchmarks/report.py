"""Convert the JSON file of a run to Markdown tables.

    python -m benchmarks.report runs/bench/bench.json [--into docs/performance.md]

Prints all tables, or replaces those of a document, each between <!-- bench:NAME --> and <!-- /bench -->.
"""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Table, checks_table, in_words

MARKED = re.compile(r"(<!-- bench:(\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def main() -> None:
    """Print the tables, or replace those of a document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("json", type=Path)
    parser.add_argument("--into", type=Path, help="document in which to replace the tables")
    options = parser.parse_args()
    tables = markdown_tables(json.loads(options.json.read_text(encoding="utf-8")))
    if options.into is None:
        print("\n\n".join(tables.values()))
    else:
        document = options.into.read_text(encoding="utf-8")
        options.into.write_text(replace_tables(document, tables), encoding="utf-8")


def markdown_tables(report: Mapping[str, Any]) -> dict[str, str]:
    """Return all tables of a run by name; `machine` and `wanted` concern the whole run."""
    sections = report["sections"].values()
    tables = {"machine": _machine(report)}
    tables["wanted"] = to_markdown(checks_table([check for section in sections for check in section["checks"]]))
    for section in sections:
        tables |= {name: to_markdown(table) for name, table in section["tables"].items()}
    return tables


def to_markdown(table: Table) -> str:
    """Return a table as Markdown, with its title above."""
    words = [all(isinstance(row[key], str) for row in table["rows"]) for key in table["columns"]]
    lines = [
        table["columns"].values(),
        ["---" if left else "---:" for left in words],
        *([in_words(row[key]) for key in table["columns"]] for row in table["rows"]),
    ]
    return f"{table['title']}:\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def replace_tables(document: str, tables: Mapping[str, str]) -> str:
    """Return the document with the tables between its markers replaced; tables that were not measured stay."""

    def replaced(match: re.Match[str]) -> str:
        opening, name, closing = match.groups()
        return f"{opening}{tables[name]}\n{closing}" if name in tables else match[0]

    return MARKED.sub(replaced, document)


def _machine(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    versions = ", ".join(f"{package} {version}" for package, version in report["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['os']}, "
        f"Python {machine['python']}; {versions}; model {report['model']}. Medians of {report['rounds']} rounds, "
        "with minimum and maximum in parentheses."
    )


if __name__ == "__main__":
    main()
