"""What is said where Ray cannot start; Ray itself is tried in `tests/on_ray`."""

import sys
from types import ModuleType
from typing import Any

import pytest

from app.shared.cluster import ClusterError, connect


class NodeDiedError(Exception):
    """As those that Ray raises, of no common kind."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NodeDiedError("The node died.\nThe logs say more."), "The node died"),
        (TimeoutError(), "TimeoutError"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_whatever_keeps_it_from_starting_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def init(*_: Any, **__: Any) -> None:
        raise error

    ray = ModuleType("ray")
    ray.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ClusterError) as caught, connect(1):
        pass
    assert str(caught.value) == f"Ray cannot start on this machine: {reason}."
