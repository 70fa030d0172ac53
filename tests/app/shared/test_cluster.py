"""Error messages if Ray cannot start; Ray itself is tested in `tests/on_ray`."""

import sys
from types import ModuleType
from typing import Any

import pytest

from app.shared.cluster import ClusterError, connect


class NodeDiedError(Exception):
    """Error like those of Ray, which have no common base class."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NodeDiedError("The node died.\nThe logs say more."), "The node died"),
        (TimeoutError(), "TimeoutError"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_any_start_failure_is_reported_in_one_line(
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
