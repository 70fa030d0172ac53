"""Pages in a real browser."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.locks import locked
from tests.waiting import GENEROUS_SECONDS

# Chromium as root has no sandbox, and looks for its maker's hosts unless told not to.
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

WINDOW = {"width": 1280, "height": 720}
PREFERENCES = {"color_scheme": "light", "reduced_motion": "no-preference"}

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
    page = browser.new_page(permissions=["clipboard-read", "clipboard-write"], **options)
    page.set_default_timeout(1000 * GENEROUS_SECONDS)
    return page


@pytest.fixture(scope="module")
def kept_pages() -> list[Page]:
    """The page that one test of a module leaves to the next: a new one takes a second of a processor."""
    return []


@contextmanager
def kept_page(browser: Browser, kept_pages: list[Page], **options: Any) -> Iterator[Page]:
    """The page of the last test, or a new one; empty, and with options of a browser session."""
    page = kept_pages.pop() if kept_pages else new_page(browser)
    page.set_viewport_size(options.pop("viewport", WINDOW))
    page.emulate_media(**PREFERENCES | options)
    yield page
    if not page.is_closed():
        page.unroute_all(behavior="ignoreErrors")
        page.goto("about:blank")
        page.mouse.move(0, 0)
        kept_pages.append(page)


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about: nothing, if a test does not say otherwise."""
    return []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str], kept_pages: list[Page]) -> Iterator[Callable[..., Page]]:
    """Opens an address with options of a browser session; no page may complain.

    The first page of a test may be the one that the test before it left; others have a session of their own.
    With `refusals`, what the browser itself says of answers that are errors, and of answers that never come, is none.
    """
    with ExitStack() as stack:
        opened: list[Page] = []

        def open_page(url: str, *, refusals: bool = False, **options: Any) -> Page:
            def complain(message: ConsoleMessage) -> None:
                is_refusal = refusals and message.text.startswith("Failed to load resource")
                if message.type in {"error", "warning"} and not is_refusal:
                    complaints.append(message.text)

            def complain_of(error: Error) -> None:
                complaints.append(str(error))

            may_be_kept = not opened and options.keys() <= {"viewport", *PREFERENCES}
            page = stack.enter_context(
                kept_page(browser, kept_pages, **options) if may_be_kept else new_page(browser, **options)
            )
            opened.append(page)
            page.on("console", complain)
            page.on("pageerror", complain_of)
            stack.callback(page.remove_listener, "console", complain)
            stack.callback(page.remove_listener, "pageerror", complain_of)
            page.goto(url)
            return page

        yield open_page
    assert complaints == []
