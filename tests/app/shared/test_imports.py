"""`app.shared.imports`."""

import sys

import pytest

from app.shared.imports import hidden


def test_hidden_modules_are_not_found_within_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with hidden("this"), pytest.raises(ModuleNotFoundError):
        __import__("this")
    assert "this" not in sys.modules
    assert __import__("this").__name__ == "this"


def test_modules_already_imported_stay_visible() -> None:
    with hidden("sys"):
        assert __import__("sys") is sys
    assert sys.modules["sys"] is sys
