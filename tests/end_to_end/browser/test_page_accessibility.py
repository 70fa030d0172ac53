"""The page at / for everybody: by keyboard, on a phone, in the dark, and by axe-core's rules."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.end_to_end.browser.front_page import (
    choose,
    expect_announcement,
    expect_progress,
    expect_text,
    read_sample,
    transfer,
)

OpenPage = Callable[..., Page]
UNSURE = {
    "text": "b5",
    "confidence": 0.42,
    "characters": [
        {"character": "b", "confidence": 0.45, "box": {"left": 0, "top": 0, "right": 90, "bottom": 50}},
        {"character": "5", "confidence": 0.93, "box": {"left": 90, "top": 0, "right": 200, "bottom": 50}},
    ],
    "alternatives": [{"text": "b5", "confidence": 0.42}, {"text": "65", "confidence": 0.4}],
    "model": {"name": "captcha", "version": "1"},
    "request_id": "r",
}


def nothing_yet(page: Page, folder: Path) -> None:
    expect(page.locator("#samples")).to_be_visible()


def a_reading(page: Page, folder: Path) -> None:
    read_sample(page, "b5wn6")
    page.locator("#characters button").first.hover()


def an_unsure_reading(page: Page, folder: Path) -> None:
    page.route("**/predict?*", lambda route: route.fulfill(json=UNSURE))
    read_sample(page, "b5wn6", reads="b5")


def an_error(page: Page, folder: Path) -> None:
    (folder / "words.png").write_text("words")
    choose(page, folder / "words.png")
    expect(page.locator("#failure")).to_be_visible()


def a_list(page: Page, folder: Path) -> None:
    name = "a-long-name-of-a-file-" * 5
    for text in ("b5wn6", "ef2ec"):
        read_sample(page, text)
    (folder / f"{name}.png").write_text("words")
    choose(page, folder / f"{name}.png")
    expect_progress(page, "3 of 3, 1 with an error")
    page.get_by_text("Response of the service").click()


def a_key(page: Page, folder: Path) -> None:
    page.route("**/models", lambda route: route.fulfill(status=401, json={"title": "Unauthorized", "detail": "Key."}))
    page.reload()
    page.get_by_label("This service needs an API key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-error")).not_to_be_empty()


def no_model(page: Page, folder: Path) -> None:
    broken = {"name": "captcha", "version": "202611240035", "reason": "model.onnx is not what SHA256SUMS says."}
    page.route("**/models", lambda route: route.fulfill(json={"models": [], "broken": [broken]}))
    page.reload()
    expect(page.locator("#unready")).to_be_visible()


def nothing_to_read(page: Page, folder: Path) -> None:
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer(page)})
    expect(page.locator("#notice")).to_be_visible()


STATES = [nothing_yet, a_reading, an_unsure_reading, an_error, a_list, a_key, no_model, nothing_to_read]


@pytest.fixture(params=STATES, ids=lambda state: state.__name__)
def state(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_axe_finds_nothing(
    open_page: OpenPage, server: str, tmp_path: Path, state: Callable[[Page, Path], None]
) -> None:
    page = open_page(server, refusals=True, color_scheme="light", reduced_motion="reduce")
    state(page, tmp_path)
    assert Axe().run(page).response["violations"] == []
    page.emulate_media(color_scheme="dark")
    assert Axe().run(page).response["violations"] == []


def test_a_phone_shows_all_without_scrolling_sideways(
    open_page: OpenPage, server: str, tmp_path: Path, state: Callable[[Page, Path], None]
) -> None:
    page = open_page(server, refusals=True, viewport={"width": 320, "height": 640})
    state(page, tmp_path)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_on_a_phone_what_was_read_comes_into_view(open_page: OpenPage, server: str) -> None:
    page = open_page(server, viewport={"width": 390, "height": 700})
    read_sample(page, "b5wn6")
    expect(page.locator("#characters")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_it_is_dark_where_that_is_wished(open_page: OpenPage, server: str, scheme: str, is_dark: bool) -> None:
    page = open_page(server, color_scheme=scheme)
    style = "getComputedStyle(document.body)"
    colours = page.evaluate(f"[{style}.backgroundColor, {style}.color]")
    ground, ink = (sum(map(int, re.findall(r"\d+", colour))) for colour in colours)
    assert (ground < ink) is is_dark


def test_nothing_moves_where_that_is_not_wished(open_page: OpenPage, server: str) -> None:
    page = open_page(server, reduced_motion="reduce")
    read_sample(page, "b5wn6")
    assert page.evaluate("document.getAnimations().length") == 0


class TestByKeyboard:
    @pytest.fixture
    def page(self, open_page: OpenPage, server: str) -> Page:
        page = open_page(server)
        expect(page.locator("#samples")).to_be_visible()
        return page

    def test_everything_can_be_reached_in_order(self, page: Page) -> None:
        read_sample(page, "b5wn6")
        page.evaluate("document.activeElement.blur()")
        page.locator("h1").click()
        reached = []
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.innerText.trim()[0]"))
        assert reached[:2] == ["A", "files"]
        assert reached[2:6] == ["sample", "model", "version", "zoom-in"]
        assert reached[6:11] == list("b5wn6")
        assert reached[11:13] == ["copy-text", "c"]

    def test_files_are_chosen_with_the_space_bar(self, page: Page, repository: Path) -> None:
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Tab")
            page.keyboard.press("Tab")
            assert page.locator("#drop").evaluate("zone => getComputedStyle(zone).outlineStyle") == "solid"
            page.keyboard.press("Space")
        chooser.value.set_files(repository / "samples" / "7ydp3.png")
        expect_text(page, "7ydp3")
        expect_announcement(page, "7ydp3.png: 7ydp3, confidence 99.9\u00a0%.")

    def test_a_character_tells_what_it_is_when_it_has_the_focus(self, page: Page) -> None:
        read_sample(page, "ef2ec")
        page.get_by_role("button", name="Zoom in").focus()
        page.keyboard.press("Tab")
        expect(page.locator("#inspector")).to_contain_text("could be 8")
        expect(page.locator("#boxes rect").first).to_have_class("active")
        tile = page.get_by_role("list", name="Characters with their confidence").get_by_role("button").first
        expect(tile).to_have_accessible_name(re.compile(r"^e 99\.9\s%, confident, columns 27 to 48; could be 8 "))

    def test_the_command_is_copied_with_enter(self, page: Page) -> None:
        read_sample(page, "ef2ec")
        expect_announcement(page, "ef2ec.png: ef2ec")  # a frame later, so wait before pressing a key
        page.get_by_role("button", name="Copy command").focus()
        page.keyboard.press("Enter")
        expect_announcement(page, "Copied.")
        assert "curl" in page.evaluate("navigator.clipboard.readText()")
