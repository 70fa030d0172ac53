"""The page at / in a real browser, with the real service: one image, however it comes in, and what is shown of it."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.end_to_end.browser.front_page import (
    SAMPLES,
    choose,
    drag_and_drop,
    expect_announcement,
    expect_text,
    read_sample,
    transfer,
)

OpenPage = Callable[..., Page]
NO_IMAGE = "No image files found"


@pytest.fixture
def page(open_page: OpenPage, server: str) -> Page:
    return open_page(server)


def copied_command(page: Page) -> str:
    page.get_by_role("button", name="Copy command").click()
    expect_announcement(page, "Copied.")
    command: str = page.evaluate("navigator.clipboard.readText()")
    return command


def run_in_shell(command: str, folder: Path, **variables: str) -> dict[str, Any]:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=variables | {"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class TestImagesComeIn:
    def test_by_choosing(self, page: Page, repository: Path) -> None:
        choose(page, repository / "samples" / "b5wn6.png")
        expect_text(page, "b5wn6")
        expect(page.get_by_role("heading", name="b5wn6.png")).to_be_visible()
        expect(page.locator("#list")).to_be_hidden()

    def test_by_choosing_the_same_file_again(self, page: Page, repository: Path) -> None:
        for _ in range(2):
            choose(page, repository / "samples" / "b5wn6.png")
        expect(page.locator("#rows tr")).to_have_count(2)

    @pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
    def test_in_other_formats(self, page: Page, repository: Path, tmp_path: Path, file_format: str) -> None:
        file = tmp_path / f"sample.{file_format.lower()}"
        with Image.open(repository / "samples" / "b5wn6.png") as sample:
            sample.convert("L").save(file, file_format)
        choose(page, file)
        expect_text(page, "b5wn6")
        size = "No preview in this browser" if file_format == "TIFF" else "200 × 50 px"
        expect(page.locator("#result-size")).to_have_text(size)

    def test_by_the_sample_of_the_model(self, page: Page, shipped_model: Path) -> None:
        text = (shipped_model / "golden.txt").read_text().strip()
        page.get_by_role("button", name=f"Sample {text}").click()
        expect_text(page, text)
        expect(page.locator("#result-name")).to_have_text("captcha-sample.png")

    def test_by_dropping_a_file(self, page: Page, repository: Path) -> None:
        drag_and_drop(page, repository / "samples" / "7ydp3.png")
        expect_text(page, "7ydp3")

    def test_by_dropping_a_file_beside_the_zone(self, page: Page, samples: dict[str, bytes]) -> None:
        dropped = transfer(page, ("a.png", "image/png", samples["ef2ec"]))
        page.dispatch_event("footer", "dragover", {"dataTransfer": dropped})
        expect(page.locator("#drop")).to_have_class(re.compile("over"))
        page.dispatch_event("footer", "drop", {"dataTransfer": dropped})
        expect_text(page, "ef2ec")
        expect(page.locator("#drop")).not_to_have_class(re.compile("over"))

    def test_by_dropping_a_folder(self, page: Page, repository: Path, tmp_path: Path) -> None:
        for place, text in (("b", "b5wn6"), ("a/deep", "7ydp3"), ("a", "ef2ec")):
            (tmp_path / "scans" / place).mkdir(parents=True, exist_ok=True)
            (tmp_path / "scans" / place / f"{text}.png").write_bytes(
                (repository / "samples" / f"{text}.png").read_bytes()
            )
        (tmp_path / "scans" / "notes.txt").write_text("no image")
        drag_and_drop(page, tmp_path / "scans")
        expect_announcement(page, "3 of 3 images read.")
        names = page.locator("#rows .name").all_inner_texts()
        assert names == ["scans/a/deep/7ydp3.png", "scans/a/ef2ec.png", "scans/b/b5wn6.png"]
        expect(page.locator("#notice")).to_have_text("Skipped files in the folder that are not images: 1.")

    def test_a_folder_without_images_is_said_to_be_one(self, page: Page, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("no image")
        drag_and_drop(page, tmp_path)
        expect(page.locator("#notice")).to_have_text("The folder contains no images.")

    def test_by_pasting_a_picture(self, page: Page, samples: dict[str, bytes]) -> None:
        page.evaluate(
            """async (transfer) => {
              const image = new Blob([await transfer.files[0].arrayBuffer()], {type: "image/png"});
              await navigator.clipboard.write([new ClipboardItem({"image/png": image})]);
            }""",
            transfer(page, ("any", "image/png", samples["4gm8x"])),
        )
        page.keyboard.press("Control+V")
        expect_text(page, "4gm8x")
        expect(page.locator("#call-hint")).to_contain_text("Save the pasted image as image.png first.")

    def test_by_pasting_a_file(self, page: Page, samples: dict[str, bytes]) -> None:
        page.evaluate(
            """(clipboardData) => document.body.dispatchEvent(
              new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}))""",
            transfer(page, ("scan 1.png", "image/png", samples["b5wn6"])),
        )
        expect_text(page, "b5wn6")
        expect(page.locator("#result-name")).to_have_text("scan 1.png")

    def test_pasted_words_are_no_image(self, page: Page) -> None:
        page.evaluate("navigator.clipboard.writeText('b5wn6')")
        page.keyboard.press("Control+V")
        expect(page.locator("#notice")).to_contain_text(NO_IMAGE)
        read_sample(page, "ef2ec")
        expect(page.locator("#notice")).to_be_hidden()

    def test_a_dropped_link_is_no_image(self, page: Page) -> None:
        link = page.evaluate_handle(
            "() => { const t = new DataTransfer(); t.setData('text/uri-list', 'https://a.example'); return t; }"
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": link})
        expect(page.locator("#notice")).to_contain_text(NO_IMAGE)


class TestWhatIsShown:
    def test_every_character_has_a_tile_as_high_as_it_is_sure(self, page: Page, server: str, repository: Path) -> None:
        image = (repository / "samples" / "7ydp3.png").read_bytes()
        answer = httpx.post(f"{server}/predict?alternatives=5", content=image).json()
        read_sample(page, "7ydp3")
        tiles = page.locator("#characters li")
        assert [tile.locator(".gauge").inner_text() for tile in tiles.all()] == list("7ydp3")
        heights = tiles.evaluate_all("tiles => tiles.map((tile) => tile.querySelector('.fill').style.height)")
        shown = [float(height.removesuffix("%")) / 100 for height in heights]
        assert shown == pytest.approx([character["confidence"] for character in answer["characters"]])

    def test_every_box_is_where_the_service_says_with_its_tile_below(self, page: Page, server: str) -> None:
        image = (SAMPLES / "ef2ec.png").read_bytes()
        characters = httpx.post(f"{server}/predict?alternatives=5", content=image).json()["characters"]
        read_sample(page, "ef2ec")
        picture = page.locator("#image").bounding_box()
        assert picture is not None
        scale = picture["width"] / 200
        assert scale in {2, 3, 4}, "a whole number, so that pixels are squares"
        for index, character in enumerate(characters):
            box = page.locator("#boxes rect").nth(index).bounding_box()
            tile = page.locator("#characters li").nth(index).bounding_box()
            assert box is not None
            assert tile is not None
            for shown in (box, tile):
                assert shown["x"] - picture["x"] == pytest.approx(scale * character["box"]["left"], abs=2)
                assert shown["width"] == pytest.approx(
                    scale * (character["box"]["right"] - character["box"]["left"]), abs=4
                )

    def test_pointing_at_a_character_lights_up_its_box_and_tells_what_else_it_could_be(self, page: Page) -> None:
        read_sample(page, "ef2ec")
        page.locator("#characters button").first.hover()
        expect(page.locator("#boxes rect").first).to_have_class("active")
        expect(page.locator("#inspector")).to_have_text(
            re.compile(r"^e: 99\.9\s%, confident, columns 27 to 48; could be 8 \(.+%\)")
        )
        page.locator("footer").hover()
        expect(page.locator("rect.active")).to_have_count(0)

    def test_pointing_at_a_box_lights_up_its_character(self, page: Page) -> None:
        read_sample(page, "ef2ec")
        page.locator("#boxes rect").nth(2).hover()
        expect(page.locator("#characters li").nth(2)).to_have_class("active")

    def test_the_most_probable_texts_are_listed_and_what_differs_is_marked(self, page: Page) -> None:
        read_sample(page, "ef2ec")
        others = page.locator("#alternatives li")
        expect(others).to_have_count(5)
        assert others.first.inner_text().split() == ["ef2ec", "99.9", "%"]
        assert others.nth(1).locator("mark").all_inner_texts() == ["8"]

    def test_its_size_time_and_model_are_said(self, page: Page, shipped_model: Path) -> None:
        read_sample(page, "b5wn6")
        expect(page.locator("#result-size")).to_have_text("200 × 50 px")
        expect(page.locator("#time")).to_have_text(re.compile(r"^\d+ ms$"))
        expect(page.locator("#model-used")).to_have_text(f"captcha {shipped_model.name}")
        expect(page.locator("#confidence")).to_have_text("99.9\u00a0%")

    def test_the_text_can_be_copied(self, page: Page) -> None:
        read_sample(page, "4gm8x")
        page.get_by_role("button", name="Copy text").click()
        expect_announcement(page, "Copied.")
        assert page.evaluate("navigator.clipboard.readText()") == "4gm8x"

    def test_where_nothing_may_be_copied_it_is_selected(self, page: Page) -> None:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        read_sample(page, "4gm8x")
        page.get_by_role("button", name="Copy text").click()
        expect_announcement(page, "Selected")
        assert page.evaluate("getSelection().toString()") == "4gm8x"

    def test_without_boxes_there_are_none(self, page: Page) -> None:
        def without_boxes(route: Route) -> None:
            answer = route.fetch().json()
            answer["characters"] = [character | {"box": None} for character in answer["characters"]]
            route.fulfill(json=answer)

        page.route("**/predict?*", without_boxes)
        page.locator("#sample").click()  # a browser gives away what it sends of this, and not of a chosen file
        expect(page.locator("#characters li")).to_have_count(5)
        expect(page.locator("#boxes rect")).to_have_count(0)

    def test_an_image_without_text_is_said_to_have_none(self, page: Page) -> None:
        empty = {"text": "", "confidence": 0.7, "characters": [], "model": {"name": "m", "version": "1"}}
        page.route("**/predict?*", lambda route: route.fulfill(json=empty | {"request_id": "r"}))
        choose(page, SAMPLES / "b5wn6.png")
        expect(page.locator("#inspector")).to_have_text("The model found no characters in this image.")
        expect(page.locator("#text")).to_have_text("no text")
        expect(page.get_by_role("button", name="Copy text")).to_be_hidden()
        grey = page.locator("#inspector").evaluate("place => getComputedStyle(place).color")
        for place in ("#text", "#confidence"):
            expect(page.locator(place)).to_have_css("color", grey)
        expect_announcement(page, ": no text")


class TestTheCommand:
    @pytest.mark.parametrize(
        "name", ["plain.png", """it's "so"; $HOME, `x` \\ & 100%.png""", "-", " edge .png", "@at=1.png", "ü €.png"]
    )
    def test_it_reads_the_same_file_in_a_shell(
        self, page: Page, samples: dict[str, bytes], tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(samples["b5wn6"])
        choose(page, tmp_path / name)
        expect_text(page, "b5wn6")
        answer = run_in_shell(copied_command(page), tmp_path)
        assert answer["text"] == "b5wn6"
        assert len(answer["alternatives"]) == 5

    def test_of_a_sample_it_needs_no_file(self, page: Page, tmp_path: Path, shipped_model: Path) -> None:
        text = (shipped_model / "golden.txt").read_text().strip()
        page.get_by_role("button", name=f"Sample {text}").click()
        expect_text(page, text)
        assert run_in_shell(copied_command(page), tmp_path)["text"] == text
