"""`deploy/kubernetes`: valid by the schemas that Kubernetes publishes, and in accord with the service that it runs."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

import app
from app.api.health import PROBES
from app.api.metrics import METRICS_PATH
from app.commands.serve import GRACE_SECONDS
from app.observability.metrics import Metrics
from app.settings import PREFIX, Settings
from tests.deploy.kustomize import PRODUCTION, Document, kustomize, of_kind, render

MODELS = ["model-image-volume", "model-init", "model-pvc"]
OTHERS = ["queue-depth", "service-monitor"]
OLDEST, NEWEST = "1.33.0", "newest"
STORE = "/srv/model_store"


@pytest.fixture(scope="module")
def documents(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """The overlay for production as it is shipped."""
    return render(repository, tmp_path_factory.mktemp("production"))


@pytest.fixture(scope="module")
def deployment(documents: list[Document]) -> Document:
    return of_kind(documents, "Deployment")


@pytest.fixture(scope="module")
def pod(deployment: Document) -> Document:
    template: Document = deployment["spec"]["template"]
    return template


@pytest.fixture(scope="module")
def container(pod: Document) -> Document:
    (only,) = pod["spec"]["containers"]
    return dict(only)


@pytest.fixture(scope="module")
def dockerfile(repository: Path) -> str:
    return (repository / "Dockerfile").read_text()


def containers(document: Document) -> Iterator[Document]:
    spec = document["spec"]["template"]["spec"]
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("components", [[], OTHERS, *([model] for model in MODELS)], ids=",".join)
def test_the_documents_are_valid(repository: Path, tmp_path: Path, components: list[str], version: str) -> None:
    validator = import_module("kubernetes_validate")  # here, as it takes a second
    version = validator.latest_version() if version == NEWEST else version
    for document in render(repository, tmp_path, components):
        if document["kind"] != "ServiceMonitor":  # the operator's, not of Kubernetes itself
            validator.validate(document, version, strict=True)


def test_every_component_is_among_those_that_are_tested(repository: Path) -> None:
    components = (repository / "deploy" / "kubernetes" / "components").iterdir()
    assert {component.name for component in components} == {*MODELS, *OTHERS}


def test_the_base_is_complete_without_an_overlay(repository: Path) -> None:
    rendered = kustomize(repository / "deploy" / "kubernetes" / "base")
    assert {document["kind"] for document in rendered} == {
        "Deployment",
        "Service",
        "ServiceAccount",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
    }


def test_everything_is_in_the_namespace_of_the_overlay(documents: list[Document]) -> None:
    namespace = of_kind(documents, "Namespace")["metadata"]["name"]
    placed = [document["metadata"].get("namespace") for document in documents if document["kind"] != "Namespace"]
    assert set(placed) == {namespace}


class TestSelectors:
    def test_match_the_pods(self, documents: list[Document], deployment: Document, pod: Document) -> None:
        selectors = [
            deployment["spec"]["selector"]["matchLabels"],
            of_kind(documents, "Service")["spec"]["selector"],
            of_kind(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            of_kind(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            *(spread["labelSelector"]["matchLabels"] for spread in pod["spec"]["topologySpreadConstraints"]),
        ]
        assert len(selectors) == 6
        for selector in selectors:
            assert selector
            assert selector.items() <= pod["metadata"]["labels"].items()

    def test_name_the_deployment_that_is_scaled(self, documents: list[Document], deployment: Document) -> None:
        target = of_kind(documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
        assert "replicas" not in deployment["spec"]


class TestPod:
    def test_has_the_image_of_this_version(self, container: Document, dockerfile: str) -> None:
        name, _, tag = container["image"].rpartition("/")[2].partition(":")
        assert tag == app.__version__
        assert f"--tag {name} " in dockerfile

    def test_is_called_where_the_service_listens(
        self, documents: list[Document], container: Document, dockerfile: str
    ) -> None:
        (port,) = container["ports"]
        assert port["containerPort"] == Settings.model_fields["port"].default
        assert f"EXPOSE {port['containerPort']}\n" in dockerfile
        (published,) = of_kind(documents, "Service")["spec"]["ports"]
        (allowed,) = of_kind(documents, "NetworkPolicy")["spec"]["ingress"]
        assert [published["targetPort"], *(each["port"] for each in allowed["ports"])] == [port["name"]] * 2

    def test_is_probed_at_the_probes(self, container: Document) -> None:
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
        assert {name: probe["path"] for name, probe in probes.items()} == {
            "startup": "/livez",
            "readiness": "/readyz",
            "liveness": "/livez",
        }
        assert {probe["path"] for probe in probes.values()} <= PROBES
        assert {probe["port"] for probe in probes.values()} == {container["ports"][0]["name"]}

    def test_has_settings_that_the_service_accepts(self, documents: list[Document], container: Document) -> None:
        literals = of_kind(documents, "ConfigMap")["data"]
        given = literals | {variable["name"]: variable["value"] for variable in container["env"]}
        fields = {name.removeprefix(PREFIX).lower(): value for name, value in given.items()}
        assert fields.keys() <= Settings.model_fields.keys()
        Settings(**fields)

    def test_takes_the_settings_of_the_overlay(self, documents: list[Document], container: Document) -> None:
        names = [source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source]
        assert names == [of_kind(documents, "ConfigMap")["metadata"]["name"]]

    def test_has_the_time_to_drain_and_to_answer_what_is_under_way(self, pod: Document, container: Document) -> None:
        drain = next(each["value"] for each in container["env"] if each["name"] == f"{PREFIX}DRAIN_SECONDS")
        assert pod["spec"]["terminationGracePeriodSeconds"] > float(drain) + GRACE_SECONDS

    def test_is_replaced_only_when_another_is_ready(self, deployment: Document) -> None:
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("components", [[], *([model] for model in MODELS)], ids=",".join)
def test_no_container_has_a_privilege(repository: Path, tmp_path: Path, components: list[str], dockerfile: str) -> None:
    rendered = of_kind(render(repository, tmp_path, components), "Deployment")
    spec = rendered["spec"]["template"]["spec"]
    user = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert user is not None
    assert spec["automountServiceAccountToken"] is False
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert [context["runAsUser"], context["runAsGroup"]] == [int(user[1]), int(user[2])]
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in containers(rendered):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"]["requests"].keys() == each["resources"]["limits"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("component", MODELS)
def test_models_are_put_where_the_service_looks_for_them(repository: Path, tmp_path: Path, component: str) -> None:
    compose = yaml.safe_load((repository / "docker-compose.yml").read_text())["services"]["api"]
    rendered = of_kind(render(repository, tmp_path, [component]), "Deployment")
    (service,) = rendered["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount for mount in service["volumeMounts"]}
    assert mounts.keys() == {"tmp", "models"}
    assert mounts["models"]["mountPath"] == STORE == compose["volumes"][0]["target"]
    assert mounts["models"]["readOnly"] is True
    assert all(each["image"] == service["image"] for each in containers(rendered))


def test_fetching_models_is_allowed_to_call_out_and_nothing_else_is(
    repository: Path, tmp_path: Path, documents: list[Document]
) -> None:
    assert of_kind(documents, "NetworkPolicy")["spec"]["egress"] == []
    (rule,) = of_kind(render(repository, tmp_path, ["model-init"]), "NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == {53, 443}


class TestWatching:
    @pytest.fixture(scope="class")
    def documents(self, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
        return render(repository, tmp_path_factory.mktemp("watching"), OTHERS)

    def test_the_monitor_selects_the_service_and_its_port(self, documents: list[Document]) -> None:
        service, monitor = of_kind(documents, "Service"), of_kind(documents, "ServiceMonitor")
        selector: dict[str, Any] = monitor["spec"]["selector"]["matchLabels"]
        assert selector.items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] == METRICS_PATH

    def test_the_job_has_the_name_that_alerts_ask_for(self, documents: list[Document], repository: Path) -> None:
        alerts = (repository / "deploy" / "prometheus" / "alerts.yml").read_text()
        assert set(re.findall(r'job="([^"]+)"', alerts)) == {of_kind(documents, "Service")["metadata"]["name"]}

    def test_pods_are_counted_by_processor_and_queue(self, documents: list[Document]) -> None:
        resource, queue = of_kind(documents, "HorizontalPodAutoscaler")["spec"]["metrics"]
        assert resource["resource"]["name"] == "cpu"
        assert queue["pods"]["metric"]["name"] in {family.name for family in Metrics().families}


class TestDocumentation:
    @pytest.fixture(scope="class")
    def page(self, repository: Path) -> str:
        return (repository / "docs" / "how-to" / "kubernetes.md").read_text()

    def test_lists_every_component(self, page: str) -> None:
        assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == {*MODELS, *OTHERS}

    def test_builds_the_image_that_is_run_and_names_what_is_there(
        self, page: str, container: Document, documents: list[Document], repository: Path
    ) -> None:
        assert f"docker build --tag {container['image']} .\n" in page
        named = re.findall(r"kubectl (?:kustomize|apply --kustomize) (\S+)", page)
        assert {*named} == {f"deploy/kubernetes/{PRODUCTION}"}
        (namespace, secret) = re.findall(r"--namespace (\S+) create secret generic (\S+)", page)[0]
        assert namespace == of_kind(documents, "Namespace")["metadata"]["name"]
        assert secret in [source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source]
        keys = re.findall(r"--from-literal OCR_(\w+)=", page)
        assert {key.lower() for key in keys} <= Settings.model_fields.keys()

    def test_says_how_much_pods_get(self, page: str, container: Document, pod: Document) -> None:
        requests, limits = (container["resources"][kind] for kind in ("requests", "limits"))
        for memory in (requests["memory"], limits["memory"]):
            assert memory.replace("Mi", " MiB") in page
        assert f"{requests['cpu']} CPU and" in page
        assert f"{pod['spec']['terminationGracePeriodSeconds']} s." in page


def test_the_overlay_is_shipped_without_components(repository: Path) -> None:
    file = repository / "deploy" / "kubernetes" / PRODUCTION / "kustomization.yaml"
    assert yaml.safe_load(file.read_text())["components"] == []
