"""How to add an extra."""

import re
import tomllib
from pathlib import Path

import pytest

from app.shared import extras


def test_in_a_checkout_it_is_a_command_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "SHIPPED_MODELS", tmp_path / "none")
    assert extras.how_to_add("training", "make install") == "run make install"


def test_an_installed_package_is_reinstalled_from_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from an index: there, anyone may take the project's name."""
    monkeypatch.setattr(extras, "SHIPPED_MODELS", tmp_path)
    said = extras.how_to_add("training", "make install")
    assert f"pipx install --force './{extras.WHEEL}[training]'" in said
    assert "captcha-reader[" not in said


def test_all_of_them_exist(repository: Path) -> None:
    """Every call names an extra of the package."""
    known = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    sources = "".join(path.read_text() for room in ("app", "training") for path in (repository / room).rglob("*.py"))
    named = set(re.findall(r"how_to_add\(['\"](\w+)", sources))
    assert named == {"parquet", "ray", "tracing", "training"}
    assert named <= set(known)
