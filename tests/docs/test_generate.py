"""The reference is what the code says."""

from pathlib import Path

import pytest

from app.settings import Settings, descriptions, variable
from docs.generate import ROOT, call_section, pages, table

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pages_are_those_that_the_generator_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path], "run .venv/bin/python -m docs.generate"


@pytest.mark.parametrize("name", ["README.md", "docs/reference/settings.md"])
def test_every_setting_is_listed_with_its_default(name: str) -> None:
    meanings = descriptions()
    for setting, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        meaning = meanings[setting].replace("<", r"\<")
        assert f"\n| `{variable(setting)}` | {default} | {meaning} |\n" in PAGES[ROOT / name]


@pytest.mark.parametrize("call", ["POST /predict", "POST /predict/batch", "POST /models/reload", "GET /readyz"])
def test_every_call_is_described(call: str) -> None:
    assert f"\n## {call}\n" in PAGES[ROOT / "docs/reference/http.md"]


@pytest.mark.parametrize(
    "entry", ["python -m app read", "python -m training crossval", "`--min-confidence <float range>`", "-v, --verbose"]
)
def test_every_command_and_option_is_described(entry: str) -> None:
    assert entry in PAGES[ROOT / "docs/reference/commands.md"]


def test_an_answer_may_come_in_several_kinds() -> None:
    kinds = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/csv")}
    answers = {"200": {"description": "Numbers.", "content": kinds}}
    section = call_section("GET", "/numbers", {"summary": "Numbers", "responses": answers})
    assert "| 200 | `text/plain` or `text/csv` | Numbers. |" in section


def test_nothing_of_this_machine_is_in_them() -> None:
    assert not [path for path, text in PAGES.items() if str(ROOT) in text]


def test_a_table_escapes_what_would_end_a_cell() -> None:
    assert table(("a", "b"), [("x|y", "two\nlines")]) == "| a | b |\n| --- | --- |\n| x\\|y | two lines |"
