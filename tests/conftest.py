"""Fixtures that several packages of tests use."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

pytest.register_assert_rewrite("tests.deploy", "tests.end_to_end")  # helpers that assert say what they saw, as tests do

ROOT = Path(__file__).parents[1]
# Chromium as root has no sandbox, and looks for its maker's hosts unless told not to.
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


LONGEST = ("training", "end_to_end", "deploy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: for machines that have all that the tests need."""
    parser.addoption("--no-skips", action="store_true", help="fail if a test was skipped")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors: many tests wait for others."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that the processes which share the tests end at about the same time."""
    items.sort(key=lambda item: next((index for index, name in enumerate(LONGEST) if name in item.path.parts), 9))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With `--no-skips`, a run in which a test was skipped has failed."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium: install Debian's package chromium, or Chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()
