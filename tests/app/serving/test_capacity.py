"""How many threads read: as many as there are processors and memory for."""

import pytest
import structlog

from app.serving import capacity
from app.serving.capacity import threads_of
from app.settings import Settings

PLENTY = 1 << 40


@pytest.mark.parametrize(
    ("processors", "megabytes", "given", "threads"),
    [
        (4, PLENTY, {}, 4),
        (4, PLENTY, {"workers": 2}, 2),
        (2, PLENTY, {"workers": 4}, 1),
        (4, PLENTY, {"threads": 7}, 7),
        (4, 512, {}, 3),
        (4, 512, {"workers": 2}, 1),
        (4, 512, {"max_pixels": 100_000}, 4),
        (4, 64, {}, 1),
        (1, 64, {"threads": 7}, 7),
    ],
)
def test_they_are_as_many_as_both_allow_unless_they_are_set(
    monkeypatch: pytest.MonkeyPatch, processors: int, megabytes: int, given: dict[str, int], threads: int
) -> None:
    monkeypatch.setattr(capacity, "available_cpus", lambda: processors)
    monkeypatch.setattr(capacity, "available_memory", lambda: megabytes << 20)
    assert threads_of(Settings(**given, _env_file=None)) == threads  # type: ignore[arg-type]


@pytest.mark.parametrize(("megabytes", "warned"), [(64, True), (512, False)])
def test_where_memory_is_short_for_the_largest_images_that_is_said(
    monkeypatch: pytest.MonkeyPatch, megabytes: int, warned: bool
) -> None:
    monkeypatch.setattr(capacity, "available_memory", lambda: megabytes << 20)
    with structlog.testing.capture_logs() as lines:
        threads_of(Settings(_env_file=None))
    said = [(line["needed_megabytes"], line["available_megabytes"]) for line in lines]
    assert said == ([(152, 64)] if warned else [])
