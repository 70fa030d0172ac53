"""The page with a model that guesses, and with trainings beside it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import pytest
from playwright.sync_api import Page, expect

from app.inference.models.model import ImageToTextModel
from tests.end_to_end.browser.labelling.conftest import (
    Command,
    check,
    labels_of,
    shown,
    type_label,
    type_label_and_see,
)
from tests.waiting import wait_until
from training.data.dataset import Sample, read_image, write_csv
from training.drawing.draw import draw_captcha, draw_folder
from training.labelling.retrain import MIN_LABELS, models_folder

SLOW = pytest.mark.slow
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
    address = label(guessable, "--model", shipped_model).address
    wait_until(lambda: not httpx.get(f"{address}status?tab=test").json()["is_reading"])  # the page waits three seconds
    page = open_page(address)
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


@pytest.mark.slow
def test_trainings_go_on_beside_the_labelling_and_end_with_it(
    label: Callable[..., Command], open_page: Callable[..., Page], tmp_path: Path, shipped_model: Path
) -> None:
    folder = tmp_path / "images"
    drawn = draw_folder(folder, MIN_LABELS + 3, seed=6)
    write_csv([Sample(path, path.stem) for path in drawn[:MIN_LABELS]], folder / "labels.csv")
    models = tmp_path / models_folder(folder)
    shutil.copytree(shipped_model, models / "1")  # what an earlier training has made

    command = label(folder, "--retrain-every", 5)
    page = open_page(command.address)
    expect(page.locator("#model")).to_contain_text("model of 936 labels")
    expect(page.locator("#training-message")).to_have_text(re.compile("needs 5 more labels"))
    page.get_by_role("button", name="Train now").click()
    expect(page.locator("#training-message")).to_contain_text(f"Training on {MIN_LABELS} labels")
    expect(page.locator("#training-message")).to_contain_text("epoch")
    type_label(page, "meanwhile")
    page.close()
    command.stop()
    assert command.process.returncode == 0
    assert sorted(path.name for path in models.iterdir()) == ["1", "checkpoints"]
    assert list((models / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 320), *(pytest.param(*rest, marks=SLOW) for rest in (("light", 1280), ("dark", 320), ("dark", 1280)))],
)
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
