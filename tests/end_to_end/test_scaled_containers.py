"""Several containers behind the proxy, as docs/how-to/several-hosts.md starts them; skipped without a Docker engine.

HAProxy is Debian's, in the base image of the service: what compose names need not be within reach.
"""

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.load import Load
from tests.end_to_end.commands import run
from tests.end_to_end.conftest import GENEROUS_SECONDS

pytestmark = pytest.mark.timeout(1200)  # the first build downloads the requirements

NOTICED_SECONDS = 3
"""By when the proxy has found one that has come back."""
PROXY_IMAGE = """\
FROM python:3.13-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy
USER 99:99
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
"""


@dataclass(frozen=True)
class Scaled:
    """The replicas, by the ids of their containers, and where the proxy is."""

    replicas: list[str]
    url: str


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + GENEROUS_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                time.sleep(NOTICED_SECONDS)
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"nobody is ready at {url}")


def wait_until_back(replica: str) -> None:
    wait_until_ready(f"http://{run('docker', 'port', replica, '8000')}")


@pytest.fixture(scope="module")
def documented(repository: Path) -> list[str]:
    """The words of the command that starts several replicas on one host."""
    text = (repository / "docs" / "how-to" / "several-hosts.md").read_text()
    (line,) = [line for line in text.splitlines() if "--scale api=" in line]
    return shlex.split(line)


@pytest.fixture(scope="module")
def scaled(
    compose_command: list[str], documented: list[str], repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scaled]:
    command = documented.index("docker")
    folder = tmp_path_factory.mktemp("scaled")
    (folder / ".env").write_text("\n".join([*documented[:command], "PROXY_PORT=0"]))
    (folder / "Dockerfile").write_text(PROXY_IMAGE)
    image = f"captcha-reader-test-proxy-{os.getpid()}"
    (folder / "proxy.yml").write_text(yaml.safe_dump({"services": {"proxy": {"image": image}}}))
    compose = [
        *compose_command,
        *("--project-name", f"captcha-reader-test-scaled-{os.getpid()}"),
        *("--file", str(repository / "docker-compose.yml"), "--file", str(folder / "proxy.yml")),
        *("--env-file", str(folder / ".env")),
    ]
    try:
        run("docker", "build", "--tag", image, str(folder), seconds=300)
        run(*compose, *documented[command + 2 :], "--build", seconds=1000)
        url = f"http://{run(*compose, 'port', 'proxy', '8000')}"
        replicas = run(*compose, "ps", "--quiet", "api").split()
        for replica in replicas:
            wait_until_back(replica)
        wait_until_ready(url)
        yield Scaled(replicas, url)
    finally:
        run(*compose, "--profile", "scale", "down", "--volumes", "--rmi", "local", "--timeout", "10", seconds=120)
        run("docker", "image", "rm", image)


def test_as_many_serve_as_the_documentation_says(
    scaled: Scaled, documented: list[str], samples: dict[str, bytes]
) -> None:
    assert f"api={len(scaled.replicas)}" in documented
    for _ in range(12):
        assert httpx.post(f"{scaled.url}/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
    assert all('"/predict"' in run("docker", "logs", replica) for replica in scaled.replicas)


def test_restarting_one_after_the_other_fails_no_request(scaled: Scaled, samples: dict[str, bytes]) -> None:
    with Load(scaled.url, samples["ef2ec"]) as load:
        for replica in scaled.replicas:
            run("docker", "restart", "--time", "60", replica, seconds=120)
            wait_until_back(replica)
    load.assert_all_were_read("ef2ec")


def test_killing_one_fails_no_request(scaled: Scaled, samples: dict[str, bytes]) -> None:
    with Load(scaled.url, samples["ef2ec"]) as load:
        run("docker", "kill", scaled.replicas[0])
        time.sleep(NOTICED_SECONDS)
        run("docker", "start", scaled.replicas[0])
        wait_until_back(scaled.replicas[0])
    load.assert_all_were_read("ef2ec")
