"""Several containers behind the proxy, as docs/how-to/several-hosts.md starts them; skipped without a Docker engine.

HAProxy is Debian's, in the base image of the service: what compose names need not be within reach.
"""

import os
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.load import Load, wait_until_ready
from tests.end_to_end.containers.docker import run
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # the first build downloads the requirements

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
    """Several replicas and the proxy, as one compose project."""

    compose: list[str]

    @property
    def url(self) -> str:
        """Where the proxy is."""
        return f"http://{run(*self.compose, 'port', 'proxy', '8000')}"

    @property
    def replicas(self) -> list[str]:
        """The ids of their containers."""
        return run(*self.compose, "ps", "--quiet", "api").split()


def wait_until_back(replica: str) -> None:
    wait_until_ready(f"http://{run('docker', 'port', replica, '8000')}", NOTICED_SECONDS)


@pytest.fixture(scope="module")
def blocks(repository: Path) -> list[str]:
    """The commands of the documentation."""
    text = (repository / "docs" / "how-to" / "several-hosts.md").read_text()
    return re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def documented(blocks: list[str]) -> list[str]:
    """The words of the command that starts several replicas on one host."""
    return shlex.split(blocks[0])


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
        run("docker", "build", "--tag", image, str(folder))
        run(*compose, *documented[command + 2 :], "--build")
        scaled = Scaled(compose)
        for replica in scaled.replicas:
            wait_until_back(replica)
        wait_until_ready(scaled.url, NOTICED_SECONDS)
        yield scaled
    finally:
        run(*compose, "--profile", "scale", "down", "--volumes", "--rmi", "local", "--timeout", "10")
        run("docker", "image", "rm", image)


def test_as_many_serve_as_the_documentation_says(
    scaled: Scaled, documented: list[str], samples: dict[str, bytes]
) -> None:
    assert f"api={len(scaled.replicas)}" in documented

    def all_have_read() -> bool:
        assert httpx.post(f"{scaled.url}/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
        return all('"/predict"' in run("docker", "logs", replica) for replica in scaled.replicas)

    wait_until(all_have_read)


def test_the_update_of_the_documentation_fails_no_request(
    scaled: Scaled, blocks: list[str], samples: dict[str, bytes]
) -> None:
    before = scaled.replicas
    (script,) = [block for block in blocks if "--no-recreate" in block]
    with Load(scaled.url, samples["ef2ec"]) as load:
        run("sh", "-euc", script.replace("docker compose", shlex.join(scaled.compose)))
    load.assert_all_were_read("ef2ec")
    assert len(scaled.replicas) == len(before)
    assert not {*scaled.replicas} & {*before}


def test_killing_one_fails_no_request(scaled: Scaled, samples: dict[str, bytes]) -> None:
    victim = scaled.replicas[0]
    with Load(scaled.url, samples["ef2ec"]) as load:
        run("docker", "kill", victim)
        time.sleep(NOTICED_SECONDS)
        run("docker", "start", victim)
        wait_until_back(victim)
    load.assert_all_were_read("ef2ec")
