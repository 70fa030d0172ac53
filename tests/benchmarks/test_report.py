"""Markdown tables, and documents that contain them."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Table, at_least, figure
from benchmarks.report import MARKED, markdown_tables, replace_tables, to_markdown

TABLE = Table(
    title="Steps",
    columns={"step": "", "ours": "ours, ms"},
    rows=[{"step": "decode", "ours": figure([1.0, 2.0, 3.0])}, {"step": "resize", "ours": None}],
)
AS_MARKDOWN = """\
Steps:

|  | ours, ms |
| --- | ---: |
| decode | 2.00 (1.00–3.00) |
| resize | – |"""


@pytest.fixture
def report() -> dict[str, Any]:
    return {
        "machine": {"processor": "P", "cores": 2, "memory_gb": 23.5, "os": "Linux", "python": "3.11", "load_before": 0},
        "versions": {"numpy": "2.4"},
        "model": "1",
        "rounds": 3,
        "sections": {
            "stages": {"tables": {"steps": TABLE}, "checks": [at_least("speed", figure([7.0]), 6)], "notes": []}
        },
    }


def test_table_in_markdown() -> None:
    assert to_markdown(TABLE) == AS_MARKDOWN


def test_all_tables_of_a_run(report: dict[str, Any]) -> None:
    tables = markdown_tables(report)
    assert tables["steps"] == AS_MARKDOWN
    assert "| speed | 7.00 | ≥ 6 | ok |" in tables["wanted"]
    assert tables["machine"].startswith("P, 2 cores, 23.5 GB, Linux, Python 3.11; numpy 2.4; model 1. Medians of 3")


def test_only_text_between_markers_is_replaced() -> None:
    document = "# A\n\n<!-- bench:steps -->\nold\n\nolder\n<!-- /bench -->\n\nprose\n"
    replaced = replace_tables(document, {"steps": "new"})
    assert replaced == "# A\n\n<!-- bench:steps -->\nnew\n<!-- /bench -->\n\nprose\n"
    assert replace_tables(replaced, {"steps": "new"}) == replaced


def test_unmeasured_tables_stay() -> None:
    document = "<!-- bench:steps -->\nold\n<!-- /bench -->\n<!-- bench:http -->\n<!-- /bench -->\n"
    assert replace_tables(document, {}) == document
    assert replace_tables(document, {"http": r"a \1 b"}) == document.replace("http -->\n", "http -->\na \\1 b\n")


def test_the_documentation_has_a_closed_marker_for_each_table(repository: Path) -> None:
    document = (repository / "docs" / "performance.md").read_text(encoding="utf-8")
    names = [name for _, name, _ in MARKED.findall(document)]
    assert len(names) == document.count("<!-- bench:") == document.count("<!-- /bench -->")
    assert {"machine", "wanted", "stages", "http", "batch", "read", "startup", "epochs"} <= set(names)
    assert replace_tables(document, dict.fromkeys(names, "")).count("#") == document.count("#")
