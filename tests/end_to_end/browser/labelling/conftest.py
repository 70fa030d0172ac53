"""The labelling command and a browser that shows its page."""

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.command import start_command
from tests.waiting import GENEROUS_SECONDS, ending
from training.data.dataset import Sample
from training.data.layouts import read_samples
from training.drawing.draw import draw_folder
from training.labelling.access import HOST, Access
from training.labelling.decisions import Decisions
from training.labelling.guesses import Expected
from training.labelling.images import find_images
from training.labelling.schemas import Folder
from training.labelling.server import create_app
from training.labelling.session import Session


@dataclass
class Command:
    """A labelling command that runs."""

    process: subprocess.Popen[str]
    address: str

    def stop(self, by: signal.Signals = signal.SIGINT) -> str:
        """End it, and return what it has to say at the end."""
        self.process.send_signal(by)
        return "".join(self.process.communicate(timeout=GENEROUS_SECONDS))


@contextmanager
def labelling(folder: Path, repository: Path, *options: object) -> Iterator[Command]:
    words = ("training", "label", folder, "--no-open", "--port", 0, *options)
    with ending(start_command(repository, words, {}, cwd=folder.parent)) as process:
        said = ""
        for line in process.stdout or ():
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
                yield Command(process, found[0])
                break
        else:
            raise AssertionError(said + "".join(process.communicate()))


@pytest.fixture
def label(repository: Path) -> Iterator[Callable[..., Command]]:
    """Starts the command on a folder."""
    with ExitStack() as stack:
        yield lambda folder, *options: stack.enter_context(labelling(folder, repository, *options))


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves the page for a folder in this process, perhaps with labels of a length and of some characters."""
    with ExitStack() as stack:

        def serve(folder: Path, length: int | None = None, charset: str = "") -> str:
            images = find_images(folder)
            session = stack.enter_context(closing(Session(images, Decisions(folder / "labels.csv", images))))
            session.guesses.expect(Expected(length, charset))
            access = Access()
            made = create_app(session, Folder(folder=str(folder), labels_file="labels.csv", train_command=""), access)
            listener = stack.enter_context(socket.create_server((HOST, 0)))
            server = uvicorn.Server(uvicorn.Config(made, log_level="warning", ws="none", timeout_graceful_shutdown=1))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            return f"http://{HOST}:{listener.getsockname()[1]}/{access.token}/"

        yield serve


@pytest.fixture
def open_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page as any, and waits until one can type."""

    def open_it(address: str, **options: object) -> Page:
        page = open_page(address, **options)
        expect(page.locator("#text, #done-title").filter(visible=True)).to_be_focused()
        return page

    return open_it


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
    """Type a label over the guess, or nothing to accept it; what was said of the last one is not seen."""
    before = page.locator("#counts").inner_text()
    if text:
        page.keyboard.press("Control+A")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#counts")).not_to_have_text(before)


def shown(page: Page) -> str:
    return page.locator("#name").inner_text()


def selected(page: Page) -> str:
    """What of the text is selected."""
    text: str = page.locator("#text").evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    return text


def labels_of(folder: Path) -> list[Sample]:
    return read_samples(folder / "labels.csv")


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
