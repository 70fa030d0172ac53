"""Fixtures that several packages of tests use."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG, create_ssl_context
from httpx._transports import default as httpx_transports
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.pools import cross_validating_here
from tests.ports import held_port
from tests.waiting import GENEROUS_SECONDS

pytest.register_assert_rewrite("tests.deploy", "tests.end_to_end")  # helpers that assert say what they saw, as tests do
# No test fails because the machine is busy: Hypothesis would have each example done in 200 ms, HTTPX an answer in 5 s.
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("full"), max_examples=25)  # --hypothesis-profile names another
settings.load_profile("quick")
for phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, GENEROUS_SECONDS)
# HTTPX reads all certificates for each request that has no client, which takes longer than most answers.
vars(httpx_transports)["create_ssl_context"] = functools.cache(create_ssl_context)
if "PYTEST_XDIST_WORKER" in os.environ:  # the processes that share the tests have the processors busy
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

ROOT = Path(__file__).parents[1]
CONTAINERS, BROWSER = "tests/end_to_end/containers/", "tests/end_to_end/browser/"
LONGEST = (
    *(CONTAINERS, "tests/benchmarks/kinds/test_command", "tests/end_to_end/test_docs", "tests/training/"),
    *(BROWSER, "tests/end_to_end/", "tests/deploy/"),
)
"""What takes longest, in the order in which it comes. Browsers wait for containers, so they come later."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: for machines that have all that the tests need."""
    parser.addoption("--no-skips", action="store_true", help="fail if a test was skipped")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many processes as processors: many tests wait for others."""
    return 2 * (os.cpu_count() or 1)


class ContainersTogether(LoadFileScheduling):
    """Each process runs one file of tests after the other, and one of them all that start containers."""

    def _split_scope(self, nodeid: str) -> str:
        return CONTAINERS if nodeid.startswith(CONTAINERS) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """How `--dist loadfile` shares the tests out."""
    return ContainersTogether(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that the processes which share the tests end at about the same time."""
    with_slow_tests = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: _place(item.nodeid, early=item.path in with_slow_tests))
    for item in items:
        if item.nodeid.startswith(BROWSER):
            item.add_marker(pytest.mark.timeout(func_only=True))  # they wait for containers before they begin


def _place(nodeid: str, *, early: bool) -> int:
    place = next((index for index, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))
    return min(place, 1) if early and not nodeid.startswith(BROWSER) else place


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With `--no-skips`, a run in which a test was skipped has failed."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes which share the tests (pytest-xdist) have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shipped_model(repository: Path) -> Path:
    """The newest version of the model that is shipped."""
    return max((repository / "model_store" / "captcha").iterdir())


@pytest.fixture(scope="session")
def general_model(repository: Path) -> Path:
    """The newest version of the model that reads many kinds of picture."""
    return max((repository / "model_store" / "general").iterdir())


@pytest.fixture(scope="session")
def samples(repository: Path) -> dict[str, bytes]:
    """The sample images by their labels."""
    return {path.stem: path.read_bytes() for path in sorted((repository / "samples").glob("*.png"))}


@pytest.fixture
def port() -> Iterator[int]:
    """A port for a server of the test, which nobody else gets, also while the server is not there."""
    with held_port() as port:
        yield port


@pytest.fixture
def in_this_process() -> Iterator[None]:
    """Cross-validations train in this process."""
    with cross_validating_here():
        yield
