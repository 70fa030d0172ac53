"""What helps whoever labels: guesses from the first picture on, the caret, what is expected, the last labels, zoom."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.inference.reader import Reader
from tests.end_to_end.browser.labelling.conftest import (
    Command,
    labels_of,
    selected,
    shown,
    type_label,
    type_label_and_see,
)
from training.drawing.draw import draw_captcha

TEXT = "b5wn6"


@pytest.fixture
def drawn(tmp_path: Path, repository: Path) -> Path:
    """The folder of one drawn captcha, beside the models that are shipped."""
    (tmp_path / "model_store").symlink_to(repository / "model_store")
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "0.png"), draw_captcha(TEXT, seed=1))
    return tmp_path / "images"


def test_the_general_model_guesses_and_the_caret_stands_at_the_first_character_that_it_doubts(
    label: Callable[..., Command], open_page: Callable[..., Page], drawn: Path, general_model: Path
) -> None:
    reader = Reader(general_model)
    doubtful: list[int] = []
    seed = 0
    while not 0 < len(doubtful) <= len(TEXT) / 2:  # until there is an image of which it doubts some characters
        cv2.imwrite(str(drawn / "0.png"), draw_captcha(TEXT, seed := seed + 1))
        reading = reader.read(drawn / "0.png")
        doubtful = [place for place, character in enumerate(reading.characters) if character.confidence < 0.9]
    page = open_page(label(drawn).address)
    expect(page.locator("#guess-text")).to_contain_text(f"Guess by general/{general_model.name}")
    expect(page.locator("#text")).to_have_value(reading.text)
    expect(page.locator("#message")).to_have_text("Enter saves the guess; typing replaces the uncertain character.")
    assert page.locator("#text").evaluate("field => field.selectionStart") == doubtful[0]
    assert selected(page) == reading.text[doubtful[0]]
    page.keyboard.type("X")
    expect(page.locator("#text")).to_have_value(reading.text[: doubtful[0]] + "X" + reading.text[doubtful[0] + 1 :])


def test_guesses_are_of_the_length_and_the_characters_that_are_expected(
    label: Callable[..., Command], open_page: Callable[..., Page], drawn: Path
) -> None:
    page = open_page(label(drawn, "--length", 3).address)
    field = page.locator("#text")
    expect(page.get_by_label("Length of labels")).to_have_value("3")
    expect(field).to_have_value(re.compile(r"^.{3}$"))
    page.get_by_label("Length of labels").fill("4")
    page.keyboard.press("Tab")
    page.keyboard.type("01234")
    expect(field).to_have_value(re.compile(r"^.{4}$"))
    expect(page.get_by_label("Allowed characters")).to_be_focused()  # a new guess takes nobody away from it
    page.keyboard.type("56789")
    page.keyboard.press("Enter")
    expect(field).to_have_value(re.compile(r"^\d{4}$"))
    expect(field).to_be_focused()


def test_a_label_that_is_not_as_expected_is_saved_when_that_is_said_twice(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(serve(folder, length=3, charset="abc"))
    message = page.locator("#message")
    page.keyboard.type("ab")
    page.keyboard.press("Enter")
    expect(message).to_have_text("The label has 2 characters instead of 3. Enter again saves it anyway.")
    page.keyboard.type("xy")
    page.keyboard.press("Enter")
    expect(message).to_contain_text("Not among the expected characters: x y.")
    assert not (folder / "labels.csv").exists()
    page.keyboard.press("Enter")
    expect(message).to_have_text("Saved: abxy")
    type_label(page, "cab")
    assert [sample.label for sample in labels_of(folder)] == ["abxy", "cab"]


def test_the_last_labels_are_listed_and_can_be_reopened(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(serve(folder))
    last = page.get_by_role("region", name="Last labels").get_by_role("button")
    expect(last).to_have_count(0)
    type_label(page, "wrong")
    type_label(page, "b")
    page.keyboard.press("Control+Enter")
    expect(last).to_have_text(["unreadable: 2,b.png", "b", "wrong"])
    waiting = shown(page)
    last.last.click()
    expect(page.locator("#name")).to_have_text("0.png")
    expect(page.locator("#text")).to_be_focused()
    type_label(page, "right")
    expect(page.locator("#name")).to_have_text(waiting)
    expect(last).to_have_text(["right", "unreadable: 2,b.png", "b"])
    assert sorted(sample.label for sample in labels_of(folder)) == ["b", "right"]


def test_a_wide_picture_can_be_enlarged_while_one_types(
    serve: Callable[..., str], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "wide.png"), np.full((40, 4000), 200, np.uint8))
    page = open_page(serve(tmp_path / "images"))
    height = page.locator("#image").evaluate("image => image.clientHeight")
    assert height >= 24
    page.keyboard.type("a")
    page.get_by_role("button", name="Zoom in").click()
    page.keyboard.type("b")
    expect(page.locator("#text")).to_have_value("ab")
    assert page.locator("#image").evaluate("image => image.clientHeight") > height
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_keys_are_hinted_at_where_there_is_a_keyboard(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    address = serve(folder)
    page = open_page(address)
    expect(page.locator("kbd >> visible=true")).to_have_count(5)
    phone = open_page(address, has_touch=True, is_mobile=True, viewport={"width": 375, "height": 800})
    expect(phone.locator("kbd >> visible=true")).to_have_count(0)
    phone.get_by_role("button", name="Save").click()
    expect(phone.locator("#message")).to_have_text("Type the text first.")
    phone.keyboard.press("ArrowDown")  # it has one after all
    expect(phone.locator("kbd >> visible=true")).to_have_count(5)
    phone.close()
    type_label_and_see(page, "a")
