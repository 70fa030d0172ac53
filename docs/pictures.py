"""Draw `docs/page.png`, the README's screenshot of the page at /: `.venv/bin/python -m docs.pictures`.

It shows synthetic samples, two of them blurred so that the model is less confident. Needs Chromium and port 8000, which
is visible in the screenshot.
"""

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import uvicorn
from PIL import Image, ImageFilter
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from app.observability.logs import configure_logging
from app.serving.application import create_app
from app.settings import Settings

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "page.png"
PORT = 8000
SIZE: ViewportSize = {"width": 1000, "height": 860}
COLOURS = 256
BLURRED = {"7ydp3": 2.5, "ef2ec": 2.2}
"""The blurred samples and their blur in pixels; the first is shown in detail."""


@contextmanager
def _service() -> Iterator[str]:
    settings = Settings(log_level="error")
    configure_logging(settings)
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=PORT, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            sys.exit(f"The service did not start; is port {PORT} free?")
        time.sleep(0.1)
    yield f"http://127.0.0.1:{PORT}/"
    server.should_exit = True
    thread.join()


def _images(folder: Path) -> list[Path]:
    for text, radius in BLURRED.items():
        with Image.open(ROOT / "samples" / f"{text}.png") as sample:
            sample.filter(ImageFilter.GaussianBlur(radius)).save(folder / f"blurred-{text}.png")
    return [*(folder / f"blurred-{text}.png" for text in BLURRED), *sorted((ROOT / "samples").iterdir())]


def _fill(page: Page, images: list[Path]) -> None:
    page.locator("#files").set_input_files(images)
    expect(page.locator("#progress-words")).to_have_text(f"{len(images)} of {len(images)}")
    page.locator("#characters button").nth(2).hover()


def _save(screenshot: bytes) -> None:
    beside = PICTURE.with_name(".page.png")
    with Image.open(BytesIO(screenshot)) as image:
        image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(beside, optimize=True)
    beside.replace(PICTURE)


def main() -> None:
    """Take the screenshot."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, _service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
        page.goto(url)
        _fill(page, _images(Path(folder)))
        _save(page.screenshot(full_page=True))
        browser.close()


if __name__ == "__main__":
    main()
