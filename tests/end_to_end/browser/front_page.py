"""What the tests of the page at / do on it."""

import base64
from pathlib import Path

from playwright.sync_api import JSHandle, Page, expect

TRANSFER = """files => {
  const transfer = new DataTransfer();
  for (const {name, type, content} of files) {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  return transfer;
}"""


def transfer(page: Page, *files: tuple[str, str, bytes]) -> JSHandle:
    """A DataTransfer with files: their names, types and contents."""
    return page.evaluate_handle(
        TRANSFER,
        [
            {"name": name, "type": media_type, "content": base64.b64encode(content).decode()}
            for name, media_type, content in files
        ],
    )


def drag_and_drop(page: Page, *paths: Path) -> None:
    """Drop files or folders as a file manager does."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 150, "data": data})


def choose(page: Page, *files: Path) -> None:
    """Choose files by the dialog."""
    page.locator("#files").set_input_files(list(files))


def click_sample(page: Page, text: str, reads: str | None = None) -> None:
    """Click the sample with a text and wait for its picture and for what is read, by default this text."""
    page.get_by_role("button", name=f"Sample {text}").click()
    expect_text(page, reads or text)
    expect(page.locator("#result-size")).not_to_be_empty()  # it is said once the picture has its size


def expect_text(page: Page, text: str) -> None:
    """Wait until this is the text that is shown."""
    expect(page.locator("#text")).to_have_text(text)


def expect_announcement(page: Page, words: str) -> None:
    """Wait until a screen reader is told something that contains these words."""
    expect(page.locator("#announcement")).to_contain_text(words)


def expect_progress(page: Page, words: str) -> None:
    """Wait until the list says how far it is."""
    expect(page.locator("#progress-words")).to_have_text(words)
