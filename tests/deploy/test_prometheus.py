"""What `deploy/` gives Prometheus: checked by its own promtool, and run by it against the real service."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.inference.models.drift import histogram
from tests.deploy.dashboard import expressions, metrics_named_in
from tests.end_to_end.conftest import Server, running
from tests.exposed import names_in
from tests.ports import held_port
from tests.waiting import ending, wait_until

PROMTOOL_NEEDED = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: install prometheus")
ENOUGH_TO_TELL_DRIFT = 100


def promtool(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def deploy(repository: Path) -> Path:
    return repository / "deploy" / "prometheus"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, repository: Path, shipped_model: Path) -> Iterator[Server]:
    """The service with a model that says how surely it read its validation images."""
    store = tmp_path_factory.mktemp("store")
    folder = store / "captcha" / "1"
    folder.mkdir(parents=True)
    for file in ("model.onnx", "configs.yaml"):
        shutil.copy(shipped_model / file, folder)
    card = {"validation": {"confidence_histogram": histogram([0.9995] * 94)}}
    (folder / "metrics.json").write_text(json.dumps(card))
    variables = {"OCR_MODEL_STORE": str(store), "OCR_WORKERS": "2"}
    with running(tmp_path_factory.mktemp("service") / "server", repository, variables) as server:
        server.wait_until_started(2)
        yield server


@pytest.fixture(scope="module")
def text(service: Server, samples: dict[str, bytes]) -> str:
    """What `/metrics` says when all kinds of things have been read."""
    with httpx.Client(base_url=service.url) as client:
        files = [("files", samples["4gm8x"])] * (ENOUGH_TO_TELL_DRIFT // 2)
        for _ in range(2):
            assert client.post("/predict/batch", files=files).status_code == 200
        assert client.post("/predict", content=samples["ef2ec"]).status_code == 200
        return client.get("/metrics").text


class TestPromtool:
    pytestmark = PROMTOOL_NEEDED

    def test_accepts_the_configuration_and_the_alerts(self, deploy: Path) -> None:
        promtool("check", "config", str(deploy / "prometheus.yml"))

    def test_accepts_what_is_said_of_several_replicas(self, deploy: Path, repository: Path, tmp_path: Path) -> None:
        page = (repository / "docs" / "how-to" / "several-hosts.md").read_text()
        (discovery,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        shutil.copytree(deploy, tmp_path, dirs_exist_ok=True)
        configuration = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
        (scraped,) = configuration["scrape_configs"]
        (target,) = scraped.pop("static_configs")[0]["targets"]
        scraped |= yaml.safe_load(discovery)
        (found,) = scraped["dns_sd_configs"]
        assert [f"{name}:{found['port']}" for name in found["names"]] == [target]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        promtool("check", "config", str(tmp_path / "prometheus.yml"))

    def test_finds_that_each_alert_fires_when_it_should_and_not_before(self) -> None:
        promtool("test", "rules", str(Path(__file__).with_name("alerts_test.yml")))

    def test_finds_nothing_to_say_about_the_metrics(self, text: str) -> None:
        assert promtool("check", "metrics", stdin=text) == ""


def test_each_alert_is_tested(deploy: Path) -> None:
    (group,) = yaml.safe_load((deploy / "alerts.yml").read_text())["groups"]
    tests = yaml.safe_load(Path(__file__).with_name("alerts_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in group["rules"]}


def test_the_metrics_that_alerts_and_dashboard_name_are_there(deploy: Path, repository: Path, text: str) -> None:
    (group,) = yaml.safe_load((deploy / "alerts.yml").read_text())["groups"]
    named = metrics_named_in([rule["expr"] for rule in group["rules"]]) | metrics_named_in(expressions(repository))
    assert len(named) > 10
    assert named <= names_in(text)


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self._url}/api/v1/{path}", params=parameters)
        answer.raise_for_status()
        return answer.json()["data"]

    def wait_until_scraped_twice(self) -> None:
        """A rate needs two."""

        def is_scraped() -> bool:
            try:
                (count,) = self.get("query", query="count_over_time(ocr_ready[1m])")["result"]
            except (httpx.HTTPError, ValueError):  # it does not listen yet, or says 503 while it starts
                return False
            return int(count["value"][1]) > 2

        wait_until(is_scraped)


@pytest.fixture(scope="module")
def prometheus(
    service: Server, text: str, deploy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Prometheus with the configuration of deploy/, but for the address of the service and the haste."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus: install it")
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(deploy, folder, dirs_exist_ok=True)
    configuration = yaml.safe_load((folder / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [service.url.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (
        held_port() as port,
        (folder / "log").open("wb") as log,
        ending(subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)),
    ):
        started = Prometheus(f"http://127.0.0.1:{port}")
        started.wait_until_scraped_twice()
        yield started


class TestPrometheus:
    """Waits for what should be so: on a busy machine, one scrape may take longer than its second."""

    def test_reaches_the_service(self, prometheus: Prometheus) -> None:
        def target() -> dict[str, Any]:
            (only,) = prometheus.get("targets")["activeTargets"]
            return dict(only)

        wait_until(lambda: (target()["health"], target()["lastError"]) == ("up", ""), target)
        assert target()["labels"]["job"] == "captcha-reader"

    def test_evaluates_the_alerts_none_of_which_fires(self, prometheus: Prometheus) -> None:
        def rules() -> dict[str, tuple[str, str]]:
            (group,) = prometheus.get("rules")["groups"]
            return {rule["name"]: (rule["health"], rule["state"]) for rule in group["rules"]}

        assert rules().keys() >= {"OcrDown", "OcrInputDrift"}
        wait_until(lambda: set(rules().values()) == {("ok", "inactive")}, rules)

    def test_has_something_to_show_in_every_panel_of_the_dashboard(
        self, prometheus: Prometheus, repository: Path
    ) -> None:
        def empty() -> list[str]:
            return [query for query in expressions(repository) if not prometheus.get("query", query=query)["result"]]

        wait_until(lambda: not empty(), empty)

    def test_notices_when_the_service_is_gone(self, prometheus: Prometheus, service: Server) -> None:
        service.stop()
        wait_until(lambda: "OcrDown" in [alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]])
