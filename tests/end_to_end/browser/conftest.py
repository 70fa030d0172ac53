"""Pages in a real browser."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.locks import locked
from tests.waiting import GENEROUS_SECONDS

# Chromium as root has no sandbox, and looks for its maker's hosts unless told not to.
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

expect.set_options(timeout=1000 * GENEROUS_SECONDS)


@pytest.fixture(scope="module")
def browser(network_lock: Path) -> Iterator[Browser]:
    """A headless Chromium, while no container is started."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium: install Debian's package chromium, or Chrome")
    with locked(network_lock, shared=True), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """An empty page in a browser session of its own, with options of such a session."""
    page = browser.new_page(**options)
    page.set_default_timeout(1000 * GENEROUS_SECONDS)
    return page


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about: nothing, if a test does not say otherwise."""
    return []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens an address in a browser session of its own, with options of such a session; no page may complain.

    With `refusals`, what the browser itself says of answers that are errors, and of answers that never come, is none.
    """
    with ExitStack() as stack:

        def open_page(url: str, *, refusals: bool = False, **options: Any) -> Page:
            def complain(message: ConsoleMessage) -> None:
                is_refusal = refusals and message.text.startswith("Failed to load resource")
                if message.type in {"error", "warning"} and not is_refusal:
                    complaints.append(message.text)

            page = stack.enter_context(new_page(browser, permissions=["clipboard-read", "clipboard-write"], **options))
            page.on("console", complain)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(url)
            return page

        yield open_page
    assert complaints == []
