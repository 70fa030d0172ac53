"""`python -m training label` with a real browser, as people use it: with the keyboard."""

import csv
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect

from tests.command import start_command
from tests.end_to_end.browser.conftest import new_page
from tests.end_to_end.browser.labelling.conftest import (
    Command,
    labels_of,
    shown,
    type_label,
    type_label_and_see,
)
from tests.waiting import ending, wait_until
from training.data.dataset import Sample


def set_aside(folder: Path) -> dict[str, str]:
    with (folder / "labels.set-aside.csv").open(newline="") as file:
        return {row["path"]: row["decision"] for row in csv.DictReader(file)}


def test_ten_images_are_labelled_with_the_keyboard_alone(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    command = label(folder)
    page = open_page(command.address)
    texts = ["a,b", 'say "x"', "ÄÖ", "é", "x y", "日本", "0O", "-1.5", "=1+1", "z"]
    for number, text in enumerate(texts):
        assert len(labels_of(folder)) == number if number else not (folder / "labels.csv").exists()
        type_label_and_see(page, text)
    expect(page.locator("#done-title")).to_have_text("All 10 images are labelled.")
    offered = f"{sys.executable} -m training train --data {folder / 'labels.csv'}"
    expect(page.locator("#command")).to_have_text(offered)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").inner_text()
    names = sorted(path for path in folder.rglob("*.png"))
    assert labels_of(folder) == [Sample(path, text) for path, text in zip(names, texts, strict=True)]

    page.close()
    said = command.stop()
    assert command.process.returncode == 0
    assert "10 of 10 images have a label" in said
    assert offered in said
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".png") == ["labels.csv", "sub"]


def test_nothing_is_no_label(serve: Callable[..., str], open_page: Callable[..., Page], folder: Path) -> None:
    page = open_page(serve(folder))
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_contain_text("Type the text first")
    page.keyboard.type("  ")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_contain_text("Type the text first")
    assert not (folder / "labels.csv").exists()


def test_skipped_images_come_again_and_unreadable_ones_do_not(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(serve(folder))
    page.keyboard.press("ArrowDown")
    expect(page.locator("#message")).to_have_text("Skipped until the end: 0.png")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#message")).to_have_text("Marked as unreadable: 1 a.png")
    assert set_aside(folder) == {"0.png": "skipped", "1 a.png": "unreadable"}
    for text in "abcdefgh":
        type_label(page, text)
    assert shown(page) == "0.png"
    page.keyboard.type("i")
    page.keyboard.press("Enter")
    expect(page.locator("#done-title")).to_have_text("9 of 10 images are labelled, 1 marked as unreadable.")
    assert len(labels_of(folder)) == 9


def test_earlier_decisions_can_be_corrected(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(serve(folder))
    for text in ("wrong", "b"):
        type_label(page, text)
    waiting = shown(page)
    for earlier, text in (("1 a.png", "b"), ("0.png", "wrong")):
        page.keyboard.press("ArrowUp")
        expect(page.locator("#name")).to_have_text(earlier)
        expect(page.locator("#text")).to_have_value(text)
        expect(page.locator("#review")).to_contain_text(f"The label is {text}")
    type_label(page, "right")
    expect(page.locator("#name")).to_have_text(waiting)
    assert [sample.label for sample in sorted(labels_of(folder))] == ["right", "b"]

    page.keyboard.press("ArrowUp")
    expect(page.locator("#review")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#name")).to_have_text(waiting)
    assert len(labels_of(folder)) == 2


def test_all_that_keys_do_buttons_do(serve: Callable[..., str], open_page: Callable[..., Page], folder: Path) -> None:
    page = open_page(serve(folder))
    page.locator("#text").fill("a")
    for button, said in (("Save", "Saved: a"), ("Skip", "Skipped"), ("Unreadable", "Marked as unreadable")):
        page.get_by_role("button", name=button).click()
        expect(page.locator("#message")).to_contain_text(said)
        expect(page.locator("#text")).to_be_focused()
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#review")).to_contain_text("marked as unreadable")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#name")).to_have_text("3 é.png")


def test_the_counts_wait_for_the_next_image(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(serve(folder))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/images/1.png", hold)
    with page.expect_request("**/images/1.png"):
        page.keyboard.type("a")
        page.keyboard.press("Enter")
    for _ in range(2):  # when the page asks once more, it has had its first answer
        with page.expect_request("**/status?*"):
            pass
    assert page.locator("#counts").inner_text() == "0 of 10 labelled · 10 left"
    held[0].continue_()
    expect(page.locator("#counts")).to_have_text("1 of 10 labelled · 9 left")
    assert shown(page) == "1 a.png"


def test_loaded_again_the_page_shows_the_same_image(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    address = serve(folder)
    page = open_page(address)
    type_label(page, "a")
    image = shown(page)
    page.reload()
    expect(page.locator("#name")).to_have_text(image)


def test_the_command_goes_on_where_it_was_however_it_is_ended(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    command = label(folder)
    page = open_page(command.address)
    ends = {signal.SIGINT: "2,b.png", signal.SIGTERM: '4".png', signal.SIGHUP: "6.png", signal.SIGKILL: "sub/8.png"}
    for count, (by, following) in enumerate(ends.items(), start=1):
        type_label(page, str(count))
        page.keyboard.press("ArrowDown")
        expect(page.locator("#message")).to_contain_text("Skipped")
        page.goto("about:blank")
        command.stop(by)
        assert command.process.returncode == (-by if by == signal.SIGKILL else 0)

        command = label(folder)
        page.goto(command.address)
        expect(page.locator("#counts")).to_have_text(f"{count} of 10 labelled · {count} skipped · {10 - count} left")
        expect(page.locator("#text")).to_be_focused()
        assert shown(page) == following
    page.keyboard.press("ArrowUp")
    expect(page.locator("#text")).to_have_value("4")


def test_two_tabs_have_different_images_and_overwrite_nothing(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path, complaints: list[str]
) -> None:
    for path in sorted(folder.rglob("*.png"))[2:]:
        path.unlink()
    address = serve(folder)
    one, two = open_page(address), open_page(address)
    assert (shown(one), shown(two)) == ("0.png", "1 a.png")
    third = open_page(address)  # there are not enough
    assert shown(third) == "0.png"
    type_label(one, "first")
    third.keyboard.type("third")
    third.keyboard.press("Enter")
    expect(third.locator("#message")).to_have_text(
        '0.png was labelled "first" elsewhere in the meantime; this is kept. You had typed third.'
    )
    expect(third.locator("#name")).to_have_text("1 a.png")
    assert [sample.label for sample in labels_of(folder)] == ["first"]
    assert [line for line in complaints if "409 (Conflict)" not in line] == []
    complaints.clear()


def test_without_the_command_the_page_keeps_what_was_typed(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path, complaints: list[str], port: int
) -> None:
    command = label(folder, "--port", port)
    page = open_page(command.address)
    command.stop()
    page.keyboard.type("precious")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The labelling command is not running. Nothing is lost")
    expect(page.locator("#text")).to_have_value("precious")
    label(folder, "--port", port)
    expect(page.get_by_role("alert")).to_contain_text("Open the address that it printed")
    expect(page.locator("#text")).to_have_value("precious")
    assert [line for line in complaints if "ERR_CONNECTION_REFUSED" not in line and "403" not in line] == []
    complaints.clear()


def test_a_broken_image_is_told_and_can_be_set_aside(
    serve: Callable[..., str], open_page: Callable[..., Page], folder: Path
) -> None:
    (folder / "0.png").write_text("<svg/>")
    page = open_page(serve(folder))
    expect(page.locator("#broken")).to_contain_text("This file cannot be used for training.")
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_contain_text("Mark it as unreadable (Ctrl+Enter)")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#name")).to_have_text("1 a.png")
    assert set_aside(folder) == {"0.png": "unreadable"}


def test_the_browser_that_is_opened_comes_to_the_page(
    browser: Browser, repository: Path, folder: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho "$1" > {told}.new && mv {told}.new {told}\n')
    opener.chmod(0o755)
    words = ("training", "label", folder, "--port", 0)
    with ending(start_command(repository, words, {"BROWSER": str(opener)})) as process:
        line = next(line for line in process.stdout or () if "label at" in line)
        wait_until(told.exists)
        address = told.read_text().strip()
        page = new_page(browser)
        page.goto(address)
        expect(page.locator("#text")).to_be_focused()
        assert page.url in line
        assert page.url.rstrip("/").rpartition("/")[2] not in address  # other users of the machine see it
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403
        page.close()
