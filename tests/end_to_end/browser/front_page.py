"""What the tests of the page at / do on it."""

import base64
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import JSHandle, Page, Route, expect

SAMPLES = Path(__file__).parents[3] / "samples"

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


def read_sample(page: Page, text: str, reads: str | None = None) -> None:
    """Choose the sample with a text and wait for its picture and for what is read, by default this text."""
    choose(page, SAMPLES / f"{text}.png")
    expect_text(page, reads or text)
    expect(page.locator("#result-size")).not_to_be_empty()  # it is said once the picture has its size


def reading(
    text: str, confidence: float = 0.999, *, width: int = 200, height: int = 50, from_the_right: bool = False
) -> dict[str, Any]:
    """An answer of the service: equally wide characters from left to right, or the other way, and two alternatives."""
    edges = [round(width * place / max(1, len(text))) for place in range(len(text) + 1)]
    boxes = [{"left": left, "top": 0, "right": right, "bottom": height} for left, right in pairwise(edges)]
    characters = [
        {"character": character, "confidence": confidence, "box": box}
        for character, box in zip(text, reversed(boxes) if from_the_right else boxes, strict=True)
    ]
    return {
        "text": text,
        "confidence": confidence,
        "characters": characters,
        "alternatives": [{"text": text, "confidence": confidence}, {"text": f"{text}x", "confidence": 0.0005}],
        "model": {"name": "captcha", "version": "1"},
        "request_id": "r",
    }


def answer_with(page: Page, answers: dict[str, dict[str, Any]]) -> None:
    """Have files of these names answered so, and others by the service."""

    def answer(route: Route) -> None:
        sent = route.request.post_data_buffer or b""
        named = [answer for name, answer in answers.items() if f'"{name}"'.encode() in sent]
        if named:
            route.fulfill(json=named[0])
        else:
            route.continue_()

    page.route("**/predict?*", answer)


def draw(path: Path, width: int = 200, height: int = 50) -> Path:
    """A white picture."""
    Image.new("L", (width, height), "white").save(path)
    return path


def expect_text(page: Page, text: str) -> None:
    """Wait until this is the text that is shown."""
    expect(page.locator("#text")).to_have_text(text)


def expect_announcement(page: Page, words: str) -> None:
    """Wait until a screen reader is told something that contains these words."""
    expect(page.locator("#announcement")).to_contain_text(words)


def expect_progress(page: Page, words: str) -> None:
    """Wait until the list says how far it is."""
    expect(page.locator("#progress-words")).to_have_text(words)
