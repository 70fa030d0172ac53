"""The page at / keeps its shape: whatever texts, pictures and windows there are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.end_to_end.browser.front_page import (
    answer_with,
    choose,
    draw,
    expect_progress,
    expect_text,
    read_sample,
    reading,
)

OpenPage = Callable[..., Page]
LONG = "Az7-Qk29xW0b3LmN8yT5uRe4Vc6Hd1Jf2Gs9Pqoi"
PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1440, "height": 900}


@pytest.fixture
def open_reader(open_page: OpenPage, server: str) -> Callable[..., Page]:
    """Opens the page in a window of a size."""
    return lambda size, **options: open_page(server, viewport=size, reduced_motion="reduce", **options)


def place(locator: Locator) -> Any:
    """Where something stands in the window."""
    box = locator.bounding_box()
    assert box is not None, locator
    return box


def show(page: Page, picture: Path, answer: dict[str, Any]) -> None:
    """Have a picture read so, and wait for both."""
    answer_with(page, {picture.name: answer})
    choose(page, picture)
    expect_text(page, answer["text"])
    expect(page.locator("#result-size")).not_to_be_empty()


@pytest.mark.parametrize("window", [PHONE, {"width": 768, "height": 900}, DESKTOP], ids=lambda size: size["width"])
def test_a_text_of_forty_characters_stays_in_its_card(
    open_reader: Callable[..., Page], tmp_path: Path, window: dict[str, int]
) -> None:
    page = open_reader(window)
    names = ["a.png", "b.png"]
    answer_with(page, dict.fromkeys(names, reading(LONG, width=900)))
    choose(page, *(draw(tmp_path / name, width=900) for name in names))
    expect_progress(page, "2 of 2")
    for card, inside in (
        ("#result", "#text, #copy-text, #alternatives li > *, #characters li, #confidence"),
        ("#list", "td.text, td.number"),
    ):
        shown = place(page.locator(card))
        parts = page.locator(card).locator(inside)
        edges = parts.evaluate_all("parts => parts.map((part) => part.getBoundingClientRect().right)")
        assert edges
        assert max(edges) <= shown["x"] + shown["width"]
        assert parts.evaluate_all(
            "parts => parts.every((part) => part.scrollWidth <= part.clientWidth + 1 || !part.clientWidth)"
        )
    assert page.evaluate("document.documentElement.scrollWidth") == window["width"]


def test_on_a_phone_all_of_a_row_is_in_view_one_below_the_other(
    open_reader: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_reader(PHONE)
    answer_with(page, {"a.png": reading("b5wn6"), "b.png": reading("7ydp3", 0.42)})
    choose(page, draw(tmp_path / "a.png"), draw(tmp_path / "b.png"))
    expect_progress(page, "2 of 2")
    row = page.get_by_role("row").filter(has_text="b.png")
    name, text, confidence = (place(row.locator(part)) for part in (".file", ".text", ".number"))
    assert name["y"] + name["height"] <= text["y"] + 1
    assert confidence["x"] + confidence["width"] <= PHONE["width"]
    expect(row.get_by_role("cell")).to_have_count(4)  # it is a table all the same
    expect(row.locator(".number")).to_have_text("42.0\u00a0%")


@pytest.mark.parametrize(("width", "is_beside"), [(1200, True), (1199, False)])
def test_from_1200_pixels_the_picture_stands_beside_its_text(
    open_reader: Callable[..., Page], width: int, is_beside: bool
) -> None:
    page = open_reader({"width": width, "height": 800})
    read_sample(page, "b5wn6")
    picture, text = place(page.locator("#picture")), place(page.locator("#text"))
    assert (text["x"] > picture["x"] + picture["width"]) is is_beside
    assert (text["y"] > picture["y"] + picture["height"]) is not is_beside


def test_the_area_to_drop_images_shrinks_once_it_is_used(open_reader: Callable[..., Page]) -> None:
    page = open_reader(PHONE)
    before = place(page.locator("#drop"))["height"]
    read_sample(page, "b5wn6")
    assert place(page.locator("#drop"))["height"] < before / 2
    page.get_by_role("button", name="Clear").wait_for(state="hidden")  # there is one image, and no list


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_white_picture_has_an_edge(open_reader: Callable[..., Page], tmp_path: Path, scheme: str) -> None:
    page = open_reader(DESKTOP, color_scheme=scheme)
    answer_with(page, {"a.png": reading("abc"), "b.png": reading("abc")})
    choose(page, draw(tmp_path / "a.png"), draw(tmp_path / "b.png"))
    expect_progress(page, "2 of 2")
    for picture in ("#image", ".thumbnail img >> nth=0"):
        expect(page.locator(picture)).to_have_css("outline-style", "solid")
        expect(page.locator(picture)).not_to_have_css("outline-color", "rgb(255, 255, 255)")


class TestZoom:
    @pytest.mark.parametrize(("width", "height"), [(4000, 40), (40, 4000)], ids=["wide", "tall"])
    def test_what_is_wide_or_tall_can_be_read_and_seen_whole(
        self, open_reader: Callable[..., Page], tmp_path: Path, width: int, height: int
    ) -> None:
        page = open_reader(PHONE)
        show(page, draw(tmp_path / "a.png", width, height), reading("abc", width=width, height=height))
        picture, stage = page.locator("#picture"), page.locator("#stage")
        shown = place(picture)
        assert min(shown["width"], shown["height"]) >= 24
        assert place(stage)["width"] <= PHONE["width"]
        larger, smaller = (page.get_by_role("button", name=f"Zoom {way}") for way in ("in", "out"))
        larger.click()
        assert place(picture)["width"] == pytest.approx(2 * shown["width"], rel=0.4)
        while smaller.is_enabled():
            smaller.click()
        whole, around = place(picture), place(stage)
        assert whole["width"] <= around["width"] + 1
        assert whole["height"] <= around["height"] + 1

    def test_the_character_pointed_at_comes_into_view(self, open_reader: Callable[..., Page], tmp_path: Path) -> None:
        page = open_reader(PHONE)
        show(page, draw(tmp_path / "a.png", 4000, 40), reading("abcdefghijklmnopqrst", width=4000, height=40))
        box, stage = page.locator("#boxes rect").last, place(page.locator("#stage"))
        assert place(box)["x"] > PHONE["width"]
        page.locator("#characters button").last.focus()
        assert stage["x"] - 1 <= place(box)["x"] < stage["x"] + stage["width"]

    def test_a_click_on_the_picture_enlarges_it_and_another_shows_it_whole(
        self, open_reader: Callable[..., Page]
    ) -> None:
        page = open_reader(DESKTOP)
        read_sample(page, "b5wn6")
        level, whole = page.locator("#zoom-level"), page.locator("#zoom-level").inner_text()
        page.locator("#picture").click()
        expect(level).not_to_have_text(whole)
        page.locator("#stage").click()
        expect(level).to_have_text(whole)

    def test_in_a_window_of_another_size_it_fits_again(self, open_reader: Callable[..., Page]) -> None:
        page = open_reader(DESKTOP)
        read_sample(page, "b5wn6")
        page.set_viewport_size({"width": 375, "height": 800})
        page.wait_for_function("document.getElementById('picture').offsetWidth < 375")
        assert place(page.locator("#picture"))["width"] == pytest.approx(place(page.locator("#stage"))["width"], abs=1)


class TestFromRightToLeft:
    @pytest.mark.parametrize("text", ["שלום", "שלום12", "12שלום"])
    @pytest.mark.parametrize("width", [375, 1440])
    def test_tiles_stand_as_the_characters_do_in_the_picture(
        self, open_reader: Callable[..., Page], tmp_path: Path, text: str, width: int
    ) -> None:
        page = open_reader({"width": width, "height": 900})
        # As in a picture: Hebrew from the right, and in it numbers from the left.
        answer = reading(text, from_the_right=True)
        digits = [character for character in answer["characters"] if character["character"].isdigit()]
        for character, box in zip(digits, [character["box"] for character in reversed(digits)], strict=True):
            character["box"] = box
        show(page, draw(tmp_path / "a.png"), answer)
        seen = sorted(answer["characters"], key=lambda character: character["box"]["left"])
        tiles = sorted(page.locator("#characters li").all(), key=lambda tile: place(tile)["x"])
        assert [tile.locator(".gauge").inner_text() for tile in tiles] == [one["character"] for one in seen]
        assert page.locator("#characters .gauge").all_inner_texts() == list(text)  # for screen readers as it is read

    def test_without_boxes_they_begin_at_the_right(self, open_reader: Callable[..., Page], tmp_path: Path) -> None:
        page = open_reader(PHONE)
        answer = reading("7שלום")
        for character in answer["characters"]:
            character["box"] = None
        show(page, draw(tmp_path / "a.png"), answer)
        first, last = (place(page.locator("#characters li").nth(index)) for index in (0, 4))
        assert first["x"] > last["x"]
