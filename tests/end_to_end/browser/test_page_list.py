"""The page at / with many images: the list of them, its CSV, and reading that is stopped and goes on."""

import csv
import io
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.browser.front_page import (
    answer_with,
    choose,
    draw,
    expect_announcement,
    expect_progress,
    expect_text,
    read_sample,
    reading,
)

OpenPage = Callable[..., Page]
MANY = 400


@pytest.fixture
def page(open_page: OpenPage, server: str) -> Page:
    return open_page(server, refusals=True)


@pytest.fixture
def images(tmp_path: Path, samples: dict[str, bytes]) -> list[Path]:
    """The samples, three times, and a file that is no image in their midst."""
    paths = []
    for turn in range(3):
        for text, content in samples.items():
            paths.append(tmp_path / f"{turn}-{text}.png")
            paths[-1].write_bytes(content)
    paths.insert(5, tmp_path / "notes.png")
    paths[5].write_text("no image")
    return paths


@pytest.fixture
def let_go(page: Page) -> threading.Event:
    """No image is answered that is sent before this is set."""
    let_go = threading.Event()
    page.route("**/predict?*", lambda route: route.continue_() if let_go.is_set() else None)
    return let_go


def downloaded(page: Page) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "readings.csv"
    return Path(download.value.path()).read_bytes()


class TestTheList:
    def test_it_has_them_in_the_order_in_which_they_were_added(self, page: Page, images: list[Path]) -> None:
        choose(page, *images)
        expect_announcement(page, "12 of 13 images read, 1 with an error.")
        expect_progress(page, "13 of 13, 1 with an error")
        assert page.locator("#rows .name").all_inner_texts() == [path.name for path in images]
        texts = page.locator("#rows td.text .visually-hidden").all_inner_texts()
        assert texts == [path.stem[2:] for path in images if path.stem != "notes"]
        expect(page.locator("#rows .error")).to_have_text("This is not a supported image.")

    def test_the_first_is_shown_and_others_when_they_are_clicked(self, page: Page, images: list[Path]) -> None:
        choose(page, *images)
        expect_text(page, images[0].stem[2:])
        page.locator("#rows tr").nth(3).locator("td.text").click()
        expect_text(page, images[3].stem[2:])
        expect(page.locator("[aria-current]")).to_have_text([images[3].name])
        page.locator("#rows tr").nth(5).click()
        expect(page.locator("#failure-title")).to_have_text("This is not a supported image.")
        expect(page.locator("#reading")).to_be_hidden()

    def test_the_arrow_keys_go_from_row_to_row(self, page: Page, images: list[Path]) -> None:
        choose(page, *images)
        expect_progress(page, "13 of 13, 1 with an error")
        page.get_by_role("button", name=images[0].name).focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        expect_text(page, images[1].stem[2:])
        expect_announcement(page, f"{images[1].name}: {images[1].stem[2:]}, confidence 99.")
        expect(page.get_by_role("button", name=images[1].name)).to_be_focused()

    def test_pictures_are_shown(self, page: Page, images: list[Path]) -> None:
        choose(page, *images)
        width = page.locator("#rows tr").first.locator("img")
        expect(width).to_have_js_property("naturalWidth", 200)

    def test_more_are_added_to_it(self, page: Page, images: list[Path]) -> None:
        choose(page, *images[:2])
        expect_progress(page, "2 of 2")
        read_sample(page, "ef2ec")
        expect_progress(page, "3 of 3")
        expect(page.locator("[aria-current]")).to_have_text(["ef2ec.png"])

    def test_cleared_the_page_is_as_it_was(self, page: Page, images: list[Path]) -> None:
        choose(page, *images[:2])
        expect_progress(page, "2 of 2")
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#list")).to_be_hidden()
        expect(page.locator("#result")).to_be_hidden()
        expect(page.locator("#files")).to_be_focused()
        read_sample(page, "b5wn6")
        expect(page.locator("#list")).to_be_hidden()


class TestItsOrder:
    @pytest.fixture
    def names(self, page: Page, tmp_path: Path) -> list[str]:
        """Of images that are read with different confidences, the second without text and the fourth with an error."""
        answers = {
            "sure.png": reading("b5wn6", 0.999),
            "empty.png": reading("", 0.996),
            "doubtful.png": reading("7ydp3", 0.42),
            "words.png": None,
            "fair.png": reading("ef2ec", 0.93),
        }
        answer_with(page, {name: answer for name, answer in answers.items() if answer})
        paths = [draw(tmp_path / name) for name in answers]
        (tmp_path / "words.png").write_text("words")
        choose(page, *paths)
        expect_progress(page, "5 of 5, 1 with an error")
        return list(answers)

    def listed(self, page: Page) -> list[str]:
        return page.locator("#rows tr:not([hidden]) .name").all_inner_texts()

    def test_may_be_that_of_confidence_errors_and_no_text_first(self, page: Page, names: list[str]) -> None:
        page.get_by_label("Order").select_option("least confident first")
        assert self.listed(page) == ["words.png", "empty.png", "doubtful.png", "fair.png", "sure.png"]
        page.get_by_label("Order").select_option("as added")
        assert self.listed(page) == names

    def test_what_is_sure_can_be_left_out(self, page: Page, names: list[str]) -> None:
        only = page.get_by_label("Only uncertain and errors (3)")
        only.check()
        assert self.listed(page) == ["empty.png", "doubtful.png", "words.png"]
        page.get_by_role("button", name="doubtful.png").focus()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("button", name="empty.png")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("button", name="empty.png")).to_be_focused()
        only.uncheck()
        assert self.listed(page) == names

    def test_where_all_is_sure_that_is_said(self, page: Page, images: list[Path]) -> None:
        choose(page, *images[:2])
        expect_progress(page, "2 of 2")
        page.get_by_label("Only uncertain and errors (0)").check()
        expect(page.get_by_text("No uncertain results and no errors.")).to_be_visible()
        assert self.listed(page) == []

    def test_no_text_is_said_in_grey(self, page: Page, names: list[str]) -> None:
        grey = page.locator("#progress-words").evaluate("place => getComputedStyle(place).color")
        row = page.get_by_role("row").filter(has_text="empty.png")
        expect(row.get_by_text("no text")).to_have_css("color", grey)
        expect(row.locator(".number")).to_have_css("color", grey)

    def test_the_file_to_download_has_all_as_they_were_added(self, page: Page, names: list[str]) -> None:
        page.get_by_label("Order").select_option("least confident first")
        page.get_by_label("Only uncertain and errors (3)").check()
        rows = csv.DictReader(io.StringIO(downloaded(page).decode(), newline=""))
        assert [row["path"] for row in rows] == names


class TestTheCsv:
    def test_it_has_a_row_for_every_image(self, page: Page, images: list[Path], shipped_model: Path) -> None:
        choose(page, *images)
        expect_progress(page, "13 of 13, 1 with an error")
        content = downloaded(page)
        assert content.startswith(b"path,text,confidence,character_confidences,model,version,error\r\n")
        assert content.count(b"\n") == content.count(b"\r\n") == 14
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        assert [row["path"] for row in rows] == [path.name for path in images]
        for row in rows:
            if row["path"] == "notes.png":
                assert row["error"].startswith("The upload is not a supported image")
                assert row["text"] == row["confidence"] == row["model"] == ""
            else:
                assert row["text"] == row["path"][2:7]
                assert float(row["confidence"]) > 0.99
                assert [float(part) > 0.9 for part in row["character_confidences"].split()] == [True] * 5
                assert (row["model"], row["version"], row["error"]) == ("captcha", shipped_model.name, "")

    def test_names_are_quoted_and_no_formulas(self, page: Page, tmp_path: Path, samples: dict[str, bytes]) -> None:
        names = ['a, "b".png', "=1+1.png", "+1.png", "-1.png", "@sum.png", "plain.png"]
        for name in names:
            (tmp_path / name).write_bytes(samples["b5wn6"])
        choose(page, *(tmp_path / name for name in names))
        expect_progress(page, "6 of 6")
        rows = list(csv.DictReader(io.StringIO(downloaded(page).decode(), newline="")))
        assert [row["path"] for row in rows] == [f"'{name}" if name[0] in "=+-@" else name for name in names]


class TestStopping:
    def test_what_is_not_read_is_read_when_it_is_asked_for(
        self, page: Page, images: list[Path], let_go: threading.Event
    ) -> None:
        choose(page, *images)
        expect_progress(page, "0 of 13")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#pending")).to_have_text("Stopped before it was read.")
        let_go.set()
        page.get_by_role("button", name="Read the remaining 13").click()
        expect_progress(page, "13 of 13, 1 with an error")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        expect(page.get_by_role("button", name=re.compile("Read the remaining"))).to_be_hidden()

    def test_cleared_while_they_are_read_nothing_comes_back(
        self, page: Page, images: list[Path], let_go: threading.Event
    ) -> None:
        choose(page, *images)
        expect_progress(page, "0 of 13")
        page.get_by_role("button", name="Clear").click()
        let_go.set()
        read_sample(page, "4gm8x")
        expect(page.locator("#rows tr")).to_have_count(1)


@pytest.mark.slow
def test_of_hundreds_of_images_only_those_in_view_are_decoded(
    page: Page, tmp_path: Path, samples: dict[str, bytes]
) -> None:
    paths = [tmp_path / f"{index}.png" for index in range(MANY)]
    for path in paths:
        path.write_bytes(samples["b5wn6"])
    characters = [{"character": character, "confidence": 1, "box": None} for character in "b5wn6"]
    answer = {"text": "b5wn6", "confidence": 1, "alternatives": [], "model": {"name": "m", "version": "1"}}
    page.evaluate(
        """(answer) => {
            const fetch = window.fetch;
            window.fetch = async (url, ...rest) =>
                String(url).includes("/predict?") ? Response.json(answer) : fetch(url, ...rest);
        }""",
        answer | {"characters": characters},
    )
    choose(page, *paths)
    expect(page.locator("#progress-words")).to_have_text(f"{MANY} of {MANY}")
    assert page.locator("#rows tr").count() == MANY
    assert page.locator("#rows img[src]").count() < MANY / 10
