"""docs/browser/index.html, opened as a file: pictures are read in the browser by onnxruntime-web, and nothing is sent.

onnxruntime-web comes from npm, whose client verifies it and keeps it; `make runtimes` runs this.
"""

import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.npm
VERSION = "1.30.0"
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two files of onnxruntime-web that the page names."""
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "pack", f"onnxruntime-web@{VERSION}", "--prefer-offline", "--silent"]
    packed = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        archive.extractall(folder, filter="data")
    dist = folder / "package" / "dist"
    return [dist / "ort.wasm.bundle.min.mjs", dist / "ort-wasm-simd-threaded.wasm"]


@pytest.fixture
def page(open_page: OpenPage, repository: Path) -> Page:
    """The page, from the disk."""
    return open_page((repository / "docs" / "browser" / "index.html").as_uri())


@pytest.mark.parametrize("name", ["captcha", "general"])
def test_it_reads_as_the_service_does_and_asks_nobody(
    page: Page, runtime: list[Path], name: str, repository: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    (model,) = (repository / "model_store" / name).iterdir()
    page.set_input_files("#runtime", runtime)
    page.set_input_files("#model", [model / "model.onnx", model / "configs.yaml"])
    for sample in sorted((repository / "samples").glob("*.png")):
        page.set_input_files("#picture", sample)
        expect(page.locator("#text")).to_have_text(sample.stem)
    assert all(url.startswith("blob:") for url in asked)


def test_it_says_what_is_still_to_be_chosen(page: Page, repository: Path) -> None:
    page.set_input_files("#picture", repository / "samples" / "ef2ec.png")
    expect(page.get_by_role("alert")).to_have_text("Choose a file *.mjs too.")


def test_it_names_the_version_that_it_was_tried_with(page: Page) -> None:
    assert re.search(r"onnxruntime-web (\d+\.\d+)", page.inner_text("body"))[1] == VERSION.rpartition(".")[0]  # type: ignore[index]
