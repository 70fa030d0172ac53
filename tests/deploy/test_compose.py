"""How docker-compose.yml puts HAProxy before several replicas."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIGURATION = Path("deploy/haproxy/haproxy.cfg")
WHERE_THE_IMAGE_LOOKS = "/usr/local/etc/haproxy"


@pytest.fixture(scope="module")
def services(repository: Path) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((repository / "docker-compose.yml").read_text())["services"]
    return services


@pytest.fixture(scope="module")
def proxy(services: dict[str, Any]) -> dict[str, Any]:
    proxy: dict[str, Any] = services["proxy"]
    return proxy


@pytest.fixture(scope="module")
def defaults(repository: Path) -> dict[str, str]:
    """What the configuration takes where a variable is not set."""
    return dict(re.findall(r"\$\{(\w+)-([^}]*)\}", (repository / CONFIGURATION).read_text()))


def test_the_proxy_comes_with_a_profile_of_its_own(proxy: dict[str, Any]) -> None:
    assert proxy["profiles"] == ["scale"]


def test_the_proxy_has_no_privilege_and_a_version(proxy: dict[str, Any]) -> None:
    assert proxy["read_only"] is True
    assert proxy["cap_drop"] == ["ALL"]
    assert proxy["security_opt"] == ["no-new-privileges:true"]
    assert proxy["mem_limit"]
    assert re.fullmatch(r"haproxy:\d+\.\d+(\.\d+)?(-alpine)?", proxy["image"])


def test_the_proxy_finds_its_configuration(proxy: dict[str, Any], repository: Path) -> None:
    (volume,) = proxy["volumes"]
    assert volume["read_only"] is True
    assert volume["target"] == WHERE_THE_IMAGE_LOOKS
    assert (repository / volume["source"] / CONFIGURATION.name).samefile(repository / CONFIGURATION)


def test_without_any_variable_it_finds_the_replicas_and_listens_where_it_is_called(
    services: dict[str, Any], proxy: dict[str, Any], defaults: dict[str, str]
) -> None:
    assert "environment" not in proxy
    assert defaults["API_HOST"] in services
    (of_replica,) = services[defaults["API_HOST"]]["ports"]
    (of_proxy,) = proxy["ports"]
    assert of_replica.endswith(f":{defaults['API_PORT']}")
    assert of_proxy.endswith(defaults["LISTEN"])
    assert of_proxy.startswith("${PROXY_HOST:-127.0.0.1}:")
