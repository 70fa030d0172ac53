"""What `deploy/` gives Grafana, and how docker-compose.yml puts it there."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.dashboard import read_dashboard

COLUMNS = 24


@pytest.fixture(scope="module")
def dashboard(repository: Path) -> dict[str, Any]:
    return read_dashboard(repository)


@pytest.fixture(scope="module")
def services(repository: Path) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((repository / "docker-compose.yml").read_text())["services"]
    return services


def test_every_panel_asks_the_data_source_that_is_provisioned(repository: Path, dashboard: dict[str, Any]) -> None:
    folder = repository / "deploy" / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"


def test_panels_have_titles_and_ids_of_their_own(dashboard: dict[str, Any]) -> None:
    for key in ("id", "title"):
        values = [panel[key] for panel in dashboard["panels"]]
        assert len(set(values)) == len(values)


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


class TestCompose:
    def test_starts_them_with_the_profile_only(self, services: dict[str, Any]) -> None:
        assert {name for name, service in services.items() if "profiles" not in service} == {"api"}
        assert {name for name, service in services.items() if service.get("profiles") == ["watch"]} == {
            "prometheus",
            "grafana",
        }

    @pytest.mark.parametrize("name", ["prometheus", "grafana"])
    def test_gives_them_no_privilege_and_a_version_and_shows_them_to_this_machine_only(
        self, services: dict[str, Any], name: str
    ) -> None:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        assert service["image"].rpartition(":")[2][-1].isdigit()
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])

    def test_puts_files_where_they_are_looked_for(self, repository: Path, services: dict[str, Any]) -> None:
        bound = {
            volume["target"]: repository / volume["source"]
            for name in ("prometheus", "grafana")
            for volume in services[name]["volumes"]
            if isinstance(volume, dict)
        }
        assert (bound["/etc/prometheus"] / "prometheus.yml").is_file()
        assert (bound["/etc/grafana/provisioning"] / "datasources" / "prometheus.yml").is_file()
        provider = bound["/etc/grafana/provisioning"] / "dashboards" / "captcha-reader.yml"
        (options,) = (one["options"] for one in yaml.safe_load(provider.read_text())["providers"])
        home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        assert (bound[options["path"]] / Path(home).name).is_file()
