"""`python -m training label` with a real browser, as people use it: with the keyboard."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from app.inference.model import ImageToTextModel
from training.dataset import Sample, read_image, read_samples, write_csv
from training.draw import draw_captcha, draw_folder
from training.labelling.retrain import FEWEST_LABELS, models_folder

GENEROUS_SECONDS = 60


@dataclass
class Command:
    """A labelling command that runs."""

    process: subprocess.Popen[str]
    address: str

    def stop(self, by: signal.Signals = signal.SIGINT) -> str:
        """End it, and return what it has to say at the end."""
        self.process.send_signal(by)
        said, _ = self.process.communicate(timeout=GENEROUS_SECONDS)
        return said


@contextmanager
def labelling(folder: Path, repository: Path, *options: object) -> Iterator[Command]:
    words = ["label", folder, "--no-open", "--port", 0, *options]
    command = [sys.executable, "-m", "training", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    with subprocess.Popen(
        command, cwd=folder.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = ""
        for line in process.stdout or ():
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
                yield Command(process, found[0])
                break
        else:
            raise AssertionError(said)
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def label(repository: Path) -> Iterator[Callable[..., Command]]:
    """Starts the command on a folder."""
    with ExitStack() as stack:
        yield lambda folder, *options: stack.enter_context(labelling(folder, repository, *options))


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about: nothing, if a test does not say otherwise."""
    return []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens the page in a browser of its own."""

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    with ExitStack() as stack:

        def open_it(address: str, **options: object) -> Page:
            context = stack.enter_context(browser.new_context(**options))  # type: ignore[arg-type]
            page = context.new_page()
            page.on("console", complain)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(address)
            expect(page.locator("#text, #done-title").filter(visible=True)).to_be_focused()
            return page

        yield open_it
    assert complaints == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten drawn images whose names do not tell what they say, some of them odd."""
    names = ["0.png", "1 a.png", "2,b.png", "3 é.png", '4".png', "5.png", "6.png", "7.png", "sub/8.png", "sub/9.png"]
    for drawn, name in zip(draw_folder(tmp_path / "drawn", 10, seed=5), names, strict=True):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn.rename(path)
    return tmp_path / "images"


def type_label(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_have_text(f"Saved: {text}")


def type_label_and_see(page: Page, text: str) -> None:
    """Type a label, or nothing to accept the guess; what was said of the last one is not seen."""
    before = page.locator("#counts").inner_text()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#counts")).not_to_have_text(before)


def shown(page: Page) -> str:
    return page.locator("#name").inner_text()


def labels_of(folder: Path) -> list[Sample]:
    return read_samples(folder / "labels.csv")


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
    expect(page.locator("#command")).to_have_text(f"python -m training train --data {folder / 'labels.csv'}")
    names = sorted(path for path in folder.rglob("*.png"))
    assert labels_of(folder) == [Sample(path, text) for path, text in zip(names, texts, strict=True)]

    said = command.stop()
    assert command.process.returncode == 0
    assert "10 of 10 images have a label" in said
    assert f"python -m training train --data {folder / 'labels.csv'}" in said
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".png") == ["labels.csv", "sub"]


def test_nothing_is_no_label(label: Callable[..., Command], open_page: Callable[..., Page], folder: Path) -> None:
    page = open_page(label(folder).address)
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_contain_text("Type the text first")
    page.keyboard.type("  ")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_contain_text("Type the text first")
    assert not (folder / "labels.csv").exists()


def test_skipped_images_come_again_and_unreadable_ones_do_not(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(label(folder).address)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#message")).to_have_text("Skipped, comes again at the end: 0.png")
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
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(label(folder).address)
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


def test_all_that_keys_do_buttons_do(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    page = open_page(label(folder).address)
    page.locator("#text").fill("a")
    for button, said in (("Save", "Saved: a"), ("Skip", "Skipped"), ("Unreadable", "Marked as unreadable")):
        page.get_by_role("button", name=button).click()
        expect(page.locator("#message")).to_contain_text(said)
        expect(page.locator("#text")).to_be_focused()
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#review")).to_contain_text("marked as unreadable")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#name")).to_have_text("3 é.png")


def test_loaded_again_the_page_shows_the_same_image(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    command = label(folder)
    page = open_page(command.address)
    type_label(page, "a")
    image = shown(page)
    page.reload()
    expect(page.locator("#name")).to_have_text(image)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_command_goes_on_where_it_was(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path, by: signal.Signals
) -> None:
    command = label(folder)
    page = open_page(command.address)
    type_label(page, "a")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#message")).to_contain_text("Skipped")
    page.close()
    command.stop(by)
    assert command.process.returncode == (-by if by == signal.SIGKILL else 0)

    page = open_page(label(folder).address)
    expect(page.locator("#counts")).to_have_text("1 of 10 labelled · 1 skipped · 9 left")
    assert shown(page) == "2,b.png"
    page.keyboard.press("ArrowUp")
    expect(page.locator("#text")).to_have_value("a")


def test_two_tabs_have_different_images_and_overwrite_nothing(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path, complaints: list[str]
) -> None:
    for path in sorted(folder.rglob("*.png"))[2:]:
        path.unlink()
    command = label(folder)
    one, two = open_page(command.address), open_page(command.address)
    assert (shown(one), shown(two)) == ("0.png", "1 a.png")
    third = open_page(command.address)  # there are not enough
    assert shown(third) == "0.png"
    type_label(one, "first")
    third.keyboard.type("third")
    third.keyboard.press("Enter")
    expect(third.locator("#message")).to_have_text(
        '0.png was labelled "first" elsewhere meanwhile; that was not changed. You had typed third.'
    )
    expect(third.locator("#name")).to_have_text("1 a.png")
    assert [sample.label for sample in labels_of(folder)] == ["first"]
    assert [line for line in complaints if "409 (Conflict)" not in line] == []
    complaints.clear()


def test_without_the_command_the_page_keeps_what_was_typed(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path, complaints: list[str]
) -> None:
    command = label(folder)
    page = open_page(command.address)
    command.stop()
    page.keyboard.type("precious")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The labelling command is not running. Nothing is lost")
    expect(page.locator("#text")).to_have_value("precious")
    port = re.search(r":(\d+)/", command.address)
    assert port
    label(folder, "--port", port[1])
    expect(page.get_by_role("alert")).to_contain_text("Open the one that its command printed", timeout=10_000)
    expect(page.locator("#text")).to_have_value("precious")
    assert [line for line in complaints if "ERR_CONNECTION_REFUSED" not in line and "403" not in line] == []
    complaints.clear()


def test_a_broken_image_is_told_and_can_be_set_aside(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    (folder / "0.png").write_text("<svg/>")
    page = open_page(label(folder).address)
    expect(page.locator("#broken")).to_contain_text("No model can be trained on this file.")
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_contain_text("Mark it as unreadable (Ctrl+Enter)")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#name")).to_have_text("1 a.png")
    assert set_aside(folder) == {"0.png": "unreadable"}


GUESSABLE = {"0.png": ("b5wn6", 41), "1.png": ("g4mmw", 40), "2.png": ("7ydp3", 41), "3.png": ("mnwmn", 41)}
"""Texts and seeds of images that the shipped model is more or less sure of."""


@pytest.fixture
def guessable(tmp_path: Path) -> Path:
    """The folder of these images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, (text, seed) in GUESSABLE.items():
        cv2.imwrite(str(folder / name), draw_captcha(text, seed))
    return folder


def test_a_model_guesses_and_the_least_sure_comes_first(
    label: Callable[..., Command], open_page: Callable[..., Page], guessable: Path, shipped_model: Path
) -> None:
    model = ImageToTextModel(shipped_model)
    readings = {name: model.predict([read_image(guessable / name)])[0] for name in GUESSABLE}
    page = open_page(label(guessable, "--model", shipped_model).address)
    for name in sorted(readings, key=lambda name: readings[name].confidence):
        assert shown(page) == name
        expect(page.locator("#guess-text")).to_contain_text(f"captcha/{shipped_model.name}")
        tiles = page.locator(".character").evaluate_all("tiles => tiles.map((tile) => tile.firstChild.data)")
        assert "".join(tiles) == page.locator("#text").input_value() == readings[name].text
        doubtful = [character.character for character in readings[name].characters if character.confidence < 0.9]
        assert page.locator(".doubtful").evaluate_all("tiles => tiles.map((tile) => tile.firstChild.data)") == doubtful
        right = readings[name].text == GUESSABLE[name][0]
        type_label_and_see(page, "" if right else GUESSABLE[name][0])
    assert {sample.path.name: sample.label for sample in labels_of(guessable)} == {
        name: text for name, (text, _) in GUESSABLE.items()
    }
    accepted = sum(readings[name].text == text for name, (text, _) in GUESSABLE.items())
    expect(page.locator("#agreement")).to_have_text(f"{100 * accepted // 4} % of 4")


def test_trainings_go_on_beside_the_labelling_and_end_with_it(
    label: Callable[..., Command], open_page: Callable[..., Page], tmp_path: Path, shipped_model: Path
) -> None:
    folder = tmp_path / "images"
    drawn = draw_folder(folder, FEWEST_LABELS + 3, seed=6)
    write_csv([Sample(path, path.stem) for path in drawn[:FEWEST_LABELS]], folder / "labels.csv")
    models = tmp_path / models_folder(folder)
    shutil.copytree(shipped_model, models / "1")  # what an earlier training has made

    command = label(folder, "--retrain-every", 5)
    page = open_page(command.address)
    expect(page.locator("#model")).to_contain_text("model of 936 labels")
    expect(page.locator("#training-message")).to_have_text(re.compile("waits for 5 more labels"))
    page.get_by_role("button", name="Train now").click()
    expect(page.locator("#training-message")).to_contain_text(f"Training on {FEWEST_LABELS} labels")
    expect(page.locator("#training-message")).to_contain_text("epoch", timeout=1000 * GENEROUS_SECONDS)
    type_label(page, "meanwhile")
    command.stop()
    assert command.process.returncode == 0
    assert sorted(path.name for path in models.iterdir()) == ["1", "checkpoints"]
    assert list((models / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_state_is_accessible_and_fits(
    label: Callable[..., Command],
    open_page: Callable[..., Page],
    guessable: Path,
    shipped_model: Path,
    scheme: str,
    width: int,
) -> None:
    (guessable / "9-with-a-name-that-has-no-place-to-break-a-line-and-goes-on-and-on-and-on-and-on.png").touch()
    command = label(guessable, "--model", shipped_model, "--retrain-every", 50)
    page = open_page(command.address, color_scheme=scheme, viewport={"width": width, "height": 700})
    check(page, "a guess")
    type_label_and_see(page, "ß" * 60)
    page.keyboard.press("ArrowUp")
    expect(page.locator("#review")).to_be_visible()
    check(page, "an earlier decision")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#review")).to_be_hidden()
    while page.locator("#broken").is_hidden():
        type_label_and_see(page, "x")
    page.keyboard.press("Enter")
    check(page, "a broken image")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#done-title")).to_be_visible()
    check(page, "the end")


def check(page: Page, state: str) -> None:
    """No issue that axe-core finds serious, and nothing wider than the window."""
    issues = [
        f"{issue['id']}: {[node['html'] for node in issue['nodes']]}"
        for issue in Axe().run(page).response["violations"]
        if issue["impact"] in {"serious", "critical"}
    ]
    assert issues == [], state
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert too_wide <= 0, state


def test_the_browser_that_is_opened_comes_to_the_page(
    browser: Browser, repository: Path, folder: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho "$1" > {told}.new && mv {told}.new {told}\n')
    opener.chmod(0o755)
    environment = os.environ | {"PYTHONPATH": str(repository), "BROWSER": str(opener)}
    command = [sys.executable, "-m", "training", "label", str(folder), "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                if "label at" in line:
                    break
            page = browser.new_page()
            page.wait_for_timeout(200)
            while not told.exists():
                page.wait_for_timeout(20)
            address = told.read_text().strip()
            page.goto(address)
            expect(page.locator("#text")).to_be_focused()
            assert page.url in line
            assert page.url.rstrip("/").rpartition("/")[2] not in address  # other users of the machine see it
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 403
            page.close()
        finally:
            process.terminate()
