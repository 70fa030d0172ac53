"""Fixtures that several packages of tests use."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shipped_model(repository: Path) -> Path:
    """The newest version of the model that is shipped."""
    return max((repository / "model_store" / "captcha").iterdir())


@pytest.fixture(scope="session")
def samples(repository: Path) -> dict[str, bytes]:
    """The sample images by their labels."""
    return {path.stem: path.read_bytes() for path in sorted((repository / "samples").glob("*.png"))}
