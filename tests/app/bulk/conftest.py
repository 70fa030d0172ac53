"""A job for the shipped model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.bulk.job import Job

DEFAULTS: dict[str, Any] = {"max_bytes": 1_048_576, "max_pixels": 4_000_000, "max_side": 8192, "layout": "json"}


@pytest.fixture
def job(shipped_model: Path) -> Callable[..., Job]:
    """Return a factory of jobs with the defaults of the settings."""
    return lambda **given: Job(**({"model": shipped_model} | DEFAULTS | given))
