"""The page with labels that are probably wrong."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.end_to_end.browser.labelling.conftest import Command, check, labels_of, selected, shown, type_label_and_see
from training.data.dataset import Sample, write_csv
from training.data.suspects import Suspect, write_suspects

MODELS = "Models that have not seen this image read"


def test_suspects_come_first_and_each_is_kept_or_corrected_with_a_key(
    label: Callable[..., Command], open_page: Callable[..., Page], folder: Path
) -> None:
    paths = sorted(folder.rglob("*.png"))
    write_csv(
        [Sample(path.relative_to(folder), f"label{number}") for number, path in enumerate(paths[:9])],
        folder / "labels.csv",
    )
    readings = {5: "labelS", 3: "labe13", 8: "abel8", 1: ""}
    suspects = [
        Suspect(str(paths[number]), f"label{number}", reading, 0.9999 - 0.1 * place)
        for place, (number, reading) in enumerate(readings.items())
    ]
    write_suspects(suspects, folder.parent / "suspects.csv")

    command = label(folder, "--suspects", "suspects.csv")
    page = open_page(command.address)
    expect(page.locator("#counts")).to_have_text("4 suspects left · 9 of 10 labelled · 1 left")
    expect(page.locator("#suspect")).to_have_text(f"{MODELS} labelS (99 %).")
    expect(page.locator("mark")).to_have_text("S")
    assert (shown(page), selected(page)) == (paths[5].name, "label5")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_have_text("Kept: label5")
    expect(page.locator("#suspect")).to_have_text(f"{MODELS} labe13 (90 %).")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#message")).to_have_text("Saved: labe13")
    page.close()
    assert "2 of 4 suspects are left; the same command resumes." in command.stop()

    page = open_page(
        label(folder, "--suspects", "suspects.csv").address, color_scheme="dark", viewport={"width": 320, "height": 700}
    )
    expect(page.locator("#suspect")).to_have_text(f"{MODELS} abel8 (80 %).")
    check(page, "a suspect")
    expect(page.locator("#save")).to_contain_text("Keep label")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#message")).to_have_text("Skipped until after the other suspects: sub/8.png")
    expect(page.locator("#suspect")).to_have_text(f"{MODELS} nothing (70 %).")
    expect(page.get_by_role("button", name="Use reading")).to_be_hidden()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#message")).to_contain_text("Marked as unreadable")
    page.keyboard.type("TYPED")
    expect(page.locator("#save")).to_contain_text("Save")
    page.keyboard.press("Shift+Enter")  # not yet let go of from the capitals
    expect(page.locator("#message")).to_have_text("Saved: TYPED. That was the last suspect.")
    expect(page.locator("#suspect")).to_be_hidden()
    assert shown(page) == "sub/9.png"  # which has no label yet
    page.keyboard.press("ArrowUp")
    expect(page.locator("#suspect")).to_have_text(f"{MODELS} abel8 (80 %). The label was label8.")
    page.get_by_role("button", name="Use reading").click()
    expect(page.locator("#message")).to_have_text("Saved: abel8")
    type_label_and_see(page, "label9")
    expect(page.locator("#done-title")).to_have_text(
        "9 of 10 images are labelled, 1 marked as unreadable. No suspect is left."
    )
    corrected = {3: "labe13", 8: "abel8"}
    assert sorted(labels_of(folder)) == [
        Sample(path, corrected.get(number, f"label{number}")) for number, path in enumerate(paths) if number != 1
    ]
