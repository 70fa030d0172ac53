"""Number of threads and image size limit, from processors and memory."""

import pytest
import structlog

from app.serving import capacity
from app.serving.capacity import capacity_of
from app.settings import Settings

MOST = 4_000_000
PLENTY = 1 << 40


@pytest.mark.parametrize(
    ("processors", "megabytes", "given", "threads", "max_pixels"),
    [
        (4, PLENTY, {}, 4, MOST),
        (4, PLENTY, {"workers": 2}, 2, MOST),
        (2, PLENTY, {"workers": 4}, 1, MOST),
        (4, PLENTY, {"threads": 7}, 7, MOST),
        (4, 600, {}, 3, MOST),
        (4, 400, {"threads": 4}, 4, 2_184_533),
        (4, 600, {"max_pixels": 200_000}, 4, 200_000),
        (1, 150, {}, 1, 3_276_800),
        (1, 1, {}, 1, 100_000),
        (1, 0, {"threads": 7}, 7, 100_000),
        (1, 0, {"max_pixels": 500}, 1, 500),
    ],
)
def test_both_follow_the_settings_within_processors_and_memory(
    monkeypatch: pytest.MonkeyPatch,
    processors: int,
    megabytes: int,
    given: dict[str, int],
    threads: int,
    max_pixels: int,
) -> None:
    monkeypatch.setattr(capacity, "available_cpus", lambda: processors)
    monkeypatch.setattr(capacity, "share_of_memory", lambda _workers: megabytes << 20)
    settings = Settings(**given, _env_file=None)  # type: ignore[arg-type]
    assert capacity_of(settings) == (threads, max_pixels)


@pytest.mark.parametrize(("megabytes", "warned"), [(64, True), (512, False)])
def test_too_little_memory_for_the_largest_images_is_logged(
    monkeypatch: pytest.MonkeyPatch, megabytes: int, warned: bool
) -> None:
    monkeypatch.setattr(capacity, "share_of_memory", lambda _workers: megabytes << 20)
    with structlog.testing.capture_logs() as lines:
        capacity_of(Settings(threads=1, _env_file=None))
    said = [(line["max_pixels"], line["available_megabytes"]) for line in lines]
    assert said == ([(1_398_101, 64)] if warned else [])
