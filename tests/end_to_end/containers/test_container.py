"""The Dockerfile and docker-compose.yml, with a real Docker engine; skipped where none answers.

The engine must have or reach the base image and PyPI.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.settings import PREFIX, Settings
from tests.end_to_end.containers.docker import attempt, run
from tests.waiting import GENEROUS_SECONDS, answers_200, wait_until

pytestmark = pytest.mark.timeout(1200)  # the first build downloads the requirements

API_KEY = "key-of-the-container-test"
MAX_MEGABYTES_OVER_BASE = 350


@dataclass(frozen=True)
class Container:
    """A running container of the service."""

    id: str
    url: str
    api_key: str = ""

    def read(self, image: bytes) -> str:
        answer = httpx.post(
            f"{self.url}/predict",
            content=image,
            headers={"Content-Type": "image/png", "X-API-Key": self.api_key},
        )
        answer.raise_for_status()
        text: str = answer.json()["text"]
        return text

    def inspect(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(run("docker", "container", "inspect", self.id))[0]
        return document

    def is_healthy(self) -> bool:
        status: str = self.inspect()["State"]["Health"]["Status"]
        return status == "healthy"

    def is_alive(self) -> bool:
        return answers_200(f"{self.url}/livez")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, lambda: run("docker", "logs", self.id))


@pytest.fixture(scope="module")
def service(
    compose_command: list[str], repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """The service as docker-compose.yml runs it, healthy, with settings from an environment file."""
    settings = tmp_path_factory.mktemp("compose") / ".env"
    settings.write_text(f"{PREFIX}PORT=0\n{PREFIX}API_KEY={API_KEY}\n")
    compose = [
        *compose_command,
        *("--project-name", f"captcha-reader-test-{os.getpid()}"),
        *("--file", str(repository / "docker-compose.yml")),
        *("--env-file", str(settings)),
    ]
    try:
        run(*compose, "up", "--detach", "--build")
        address = run(*compose, "port", "api", "8000")
        container = Container(run(*compose, "ps", "--quiet", "api"), f"http://{address}", API_KEY)
        container.wait_until(container.is_healthy)
        yield container
    finally:
        run(*compose, "down", "--volumes", "--rmi", "local", "--timeout", "5")


@pytest.fixture
def start(service: Container) -> Iterator[Callable[..., Container]]:
    """Runs the image alone: no volume, no option but the published port, settings and a home that can be written."""
    started: list[str] = []

    def start_container(*, port: int = 8000, **settings: int | str) -> Container:
        variables = {f"{PREFIX}{name.upper()}": value for name, value in {"port": port, **settings}.items()}
        options = [f"--env={name}={value}" for name, value in {"HOME": "/tmp", **variables}.items()]  # noqa: S108
        image = service.inspect()["Image"]
        started.append(run("docker", "run", "--detach", f"--publish=127.0.0.1::{port}", *options, image))
        container = Container(started[-1], f"http://{run('docker', 'port', started[-1], str(port))}")
        container.wait_until(container.is_alive)
        return container

    yield start_container
    if started:
        run("docker", "rm", "--force", "--volumes", *started)


def test_the_compose_file_passes_every_setting_on(repository: Path) -> None:
    document = yaml.safe_load((repository / "docker-compose.yml").read_text())
    of_the_host = {"host", "port", "model_store"}
    passed_on = {name for name in document["services"]["api"]["environment"] if name.startswith(PREFIX)}
    assert passed_on == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields if name not in of_the_host}


def test_prometheus_and_grafana_come_with_a_profile(compose_command: list[str], repository: Path) -> None:
    compose = [*compose_command, "--file", str(repository / "docker-compose.yml"), "--profile", "watch"]
    # Compose 1 lists the services of all profiles.
    assert {*run(*compose, "config", "--services").split()} - {"proxy"} == {"api", "prometheus", "grafana"}


def test_the_image_is_small(service: Container, repository: Path) -> None:
    base = f"captcha-reader-test-base-{os.getpid()}"
    run("docker", "build", "--quiet", "--target", "base", "--tag", base, str(repository))
    try:
        base_size, size = (
            int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))
            for image in (base, service.inspect()["Image"])
        )
    finally:
        run("docker", "image", "rm", base)
    assert 0 < size - base_size <= MAX_MEGABYTES_OVER_BASE * 1_000_000


def test_the_service_reads(service: Container, samples: dict[str, bytes]) -> None:
    assert {label: service.read(image) for label, image in samples.items()} == {label: label for label in samples}


def test_settings_of_the_environment_file_reach_the_service(service: Container) -> None:
    assert httpx.get(f"{service.url}/models").status_code == 401
    assert httpx.get(f"{service.url}/models", headers={"X-API-Key": service.api_key}).status_code == 200


def test_the_service_has_no_privilege(service: Container) -> None:
    lines = run("docker", "exec", service.id, "cat", "/proc/1/status").splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    assert status["Uid"] == ["10001"] * 4
    assert status["Gid"] == ["10001"] * 4
    assert status["NoNewPrivs"] == ["1"]
    assert {int(value[0], 16) for name, value in status.items() if name.startswith("Cap")} == {0}


@pytest.mark.parametrize("path", ["/srv/model_store/captcha/new", "/srv/app/new", "/opt/venv/new", "/new"])
def test_not_even_root_can_write(service: Container, path: str) -> None:
    assert "Read-only file system" in attempt("docker", "exec", "--user", "0", service.id, "touch", path).stderr


def test_temporary_files_can_be_written(service: Container) -> None:
    run("docker", "exec", service.id, "touch", "/tmp/new")  # noqa: S108


def test_resources_are_limited(service: Container) -> None:
    limits = service.inspect()["HostConfig"]
    assert limits["CpuQuota"] > 0
    assert limits["Memory"] > 0
    assert limits["PidsLimit"] > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_image_alone_reads_leaves_nothing_and_stops_cleanly(
    start: Callable[..., Container], samples: dict[str, bytes], workers: int
) -> None:
    container = start(workers=workers)
    label, image = next(iter(samples.items()))
    assert container.read(image) == label

    run("docker", "stop", "--time", str(GENEROUS_SECONDS), container.id)  # which it is killed after
    assert container.inspect()["State"]["ExitCode"] == 0
    assert run("docker", "diff", container.id) == ""  # ONNX Runtime's telemetry would keep its cache in the home


@pytest.mark.parametrize(("default_model", "exit_status"), [("captcha", 0), ("missing", 1)])
def test_the_health_check_tells_whether_the_service_can_read(
    start: Callable[..., Container], default_model: str, exit_status: int
) -> None:
    container = start(port=9000, default_model=default_model)
    _, *check = container.inspect()["Config"]["Healthcheck"]["Test"]
    # Waited for, since the check itself gives up soon.
    wait_until(lambda: attempt("docker", "exec", container.id, *check).returncode == exit_status)
