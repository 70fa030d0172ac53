"""The Docker engine, where there is one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.containers.docker import attempt
from tests.locks import locked


@pytest.fixture(scope="module", autouse=True)
def _no_browser(network_lock: Path) -> Iterator[None]:
    with locked(network_lock):
        yield


@pytest.fixture(scope="session")
def compose_command() -> list[str]:
    """`docker compose`, or `docker-compose` where there is only that."""
    if not shutil.which("docker") or attempt("docker", "version").returncode:
        pytest.skip("no Docker engine answers `docker version`")
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and not attempt(*command, "version").returncode:
            return command
    pytest.skip("neither `docker compose` nor `docker-compose` is there")
