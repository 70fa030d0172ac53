"""`app.shared.imports`."""

import sys

import pytest

from app.shared.imports import hidden


def test_what_is_hidden_is_not_found_until_it_is_not_hidden_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with hidden("this"), pytest.raises(ModuleNotFoundError):
        __import__("this")
    assert "this" not in sys.modules
    assert __import__("this").__name__ == "this"


def test_what_is_imported_already_stays() -> None:
    with hidden("sys"):
        assert __import__("sys") is sys
    assert sys.modules["sys"] is sys
