"""The page at / with services of all kinds: refusing, busy, gone, asking for a key, with models, below a prefix."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from app.inference.images import ACCEPTED
from tests.end_to_end.browser.front_page import (
    SAMPLES,
    choose,
    expect_announcement,
    expect_progress,
    expect_text,
    read_sample,
)
from tests.web_server import serving

OpenPage = Callable[..., Page]
RunServer = Callable[..., Any]
KEY = "Schlüssel of this test"
PREFIX = "/tools/reader"


@pytest.fixture
def page(open_page: OpenPage, server: str) -> Page:
    return open_page(server, refusals=True)


def expect_failure(page: Page, title: str, advice: str) -> None:
    """Wait for what people are told."""
    expect(page.locator("#failure-title")).to_have_text(title)
    expect(page.locator("#failure-advice")).to_have_text(advice)


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "title", "advice", "status", "detail"),
        [
            (
                lambda _: b"words",
                "This is not a supported image.",
                f"Send {ACCEPTED}.",
                "Unsupported Media Type (415)",
                "The upload is not a supported image",
            ),
            (
                lambda _: b"<svg></svg>",
                "This is not a supported image.",
                "Export it as PNG.",
                "Unsupported Media Type (415)",
                "SVG is a vector format",
            ),
            (
                lambda image: image[:300],
                "This image is damaged.",
                "Save or copy it again, then choose it again.",
                "Unprocessable Entity (422)",
                "The PNG image is damaged",
            ),
            (
                lambda image: image + bytes(2_000_000),
                "This image is too large.",
                "At most 1\u00a0MB.",
                "Request Entity Too Large (413)",
                "The upload is too large",
            ),
        ],
        ids=["words", "SVG", "damaged", "too large"],
    )
    def test_people_are_told_what_to_do_and_the_words_of_the_service_are_folded_away(
        self,
        page: Page,
        tmp_path: Path,
        samples: dict[str, bytes],
        content: Callable[[bytes], bytes],
        title: str,
        advice: str,
        status: str,
        detail: str,
    ) -> None:
        (tmp_path / "image.png").write_bytes(content(samples["b5wn6"]))
        with page.expect_response("**/predict?*") as response:
            choose(page, tmp_path / "image.png")
        expect_failure(page, title, advice)
        expect_announcement(page, f"image.png could not be read: {title}")
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()
        expect(page.locator("#problem-detail")).to_be_hidden()
        page.get_by_text("Response of the service").click()
        expect(page.locator("#problem-title")).to_have_text(status)
        expect(page.locator("#problem-detail")).to_contain_text(detail)
        expect(page.locator("#problem-request")).to_have_text(f"Request id {response.value.headers['x-request-id']}")

    def test_the_next_image_is_read_all_the_same(self, page: Page, tmp_path: Path) -> None:
        (tmp_path / "words.png").write_text("words")
        choose(page, tmp_path / "words.png")
        expect(page.locator("#failure")).to_be_visible()
        read_sample(page, "b5wn6")
        expect(page.locator("#failure")).to_be_hidden()

    def test_a_file_that_has_gone_is_said_to_have_gone(
        self, page: Page, tmp_path: Path, samples: dict[str, bytes]
    ) -> None:
        (tmp_path / "image.png").write_bytes(samples["b5wn6"])
        page.route("**/predict?*", lambda route: route.abort())
        choose(page, tmp_path / "image.png")
        expect_failure(page, "The service cannot be reached.", "It has stopped, or the network is down.")
        expect(page.locator("#problem")).to_be_hidden()
        page.unroute("**/predict?*")
        (tmp_path / "image.png").unlink()
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#failure-title")).to_contain_text("The file can no longer be opened")

    def test_an_answer_that_is_not_the_services_is_put_into_words(self, page: Page) -> None:
        page.route("**/predict?*", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
        choose(page, SAMPLES / "b5wn6.png")
        expect_failure(page, "The image could not be read.", "Try again.")
        expect(page.locator("#problem-detail")).to_have_text("The service returned 502 Bad Gateway without a reason.")
        page.unroute("**/predict?*")
        page.get_by_role("button", name="Try again").click()
        expect_text(page, "b5wn6")


class TestAbsence:
    def test_a_busy_service_is_asked_again_when_it_says(self, page: Page) -> None:
        asked: list[str] = []

        def answer(route: Route) -> None:
            asked.append(route.request.url)
            if len(asked) < 3:
                route.fulfill(status=503, headers={"Retry-After": "0"}, json={"detail": "Come back."})
            else:
                route.continue_()

        page.route("**/predict?*", answer)
        read_sample(page, "b5wn6")
        assert len(asked) == 3

    def test_one_that_stays_busy_is_not_asked_for_ever(self, page: Page) -> None:
        asked: list[str] = []

        def answer(route: Route) -> None:
            asked.append(route.request.url)
            busy = {"title": "Service Unavailable", "detail": "As many as may wait are waiting.", "request_id": "r"}
            route.fulfill(status=503, headers={"Retry-After": "0"}, json=busy)

        page.route("**/predict?*", answer)
        choose(page, SAMPLES / "b5wn6.png")
        expect_failure(page, "The service is busy.", "Try again in a moment.")
        assert len(asked) == 6

    def test_when_it_is_back_all_is_read_that_was_not(
        self, open_page: OpenPage, run_server: RunServer, repository: Path, port: int
    ) -> None:
        server = run_server(OCR_PORT=str(port))
        page = open_page(server.url, refusals=True)
        expect(page.locator("#choice")).to_be_visible()
        server.stop()
        choose(page, *sorted((repository / "samples").iterdir()))
        # Four are read at once: any of them may be the first to fail, which stops the others.
        expect(page.locator("#rows .error")).to_contain_text("The service cannot be reached")
        expect(page.locator("#unready")).to_contain_text("Trying again every 2 seconds")
        run_server(OCR_PORT=str(port))
        expect_progress(page, "4 of 4")
        expect(page.locator("#unready")).to_be_hidden()

    def test_without_a_model_it_says_why_and_waits(
        self, open_page: OpenPage, run_server: RunServer, tmp_path: Path, shipped_model: Path
    ) -> None:
        version = tmp_path / "store" / "captcha" / "1"
        shutil.copytree(shipped_model, version)
        (version / "model.onnx").write_bytes(b"damaged")
        server = run_server(wait=False, OCR_MODEL_STORE=str(tmp_path / "store"), OCR_ADMIN_KEY="admin")
        page = open_page(server.url, refusals=True)
        expect(page.locator("#unready")).to_have_text(
            re.compile(r"The service is not ready: no model is loaded\. captcha 1: .+ Trying again")
        )
        expect(page.locator("#samples")).to_be_hidden()
        shutil.copy(shipped_model / "model.onnx", version)
        reloaded = httpx.post(f"{server.url}/models/reload", headers={"X-API-Key": "admin"})
        assert reloaded.is_success
        expect(page.locator("#unready")).to_be_hidden()
        read_sample(page, "ef2ec")


class TestKeys:
    @pytest.fixture(scope="class")
    def guarding(self, run_module_server: RunServer) -> str:
        return run_module_server(OCR_API_KEY=KEY).url

    @pytest.fixture
    def guarded(self, open_page: OpenPage, guarding: str) -> Page:
        return open_page(guarding, refusals=True)

    def test_it_is_asked_for_and_the_image_read_then(self, guarded: Page, repository: Path, tmp_path: Path) -> None:
        field = guarded.get_by_label("This service needs an API key")
        expect(field).to_be_focused()
        choose(guarded, repository / "samples" / "b5wn6.png")
        expect_failure(guarded, "The service needs a key.", "Enter the key above.")
        expect(guarded.locator("#curl")).to_contain_text('-H "Authorization: Bearer $OCR_API_KEY"')
        field.fill("another")
        guarded.keyboard.press("Enter")
        expect(guarded.locator("#key-error")).to_have_text("This key is not accepted.")
        field.fill(KEY)
        guarded.keyboard.press("Enter")
        expect_text(guarded, "b5wn6")
        expect(field).to_be_hidden()
        command = guarded.locator("#curl").inner_text()
        assert '-H "Authorization: Bearer $OCR_API_KEY"' in command
        assert KEY not in guarded.content()
        assert guarded.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=repository / "samples",
            env={"OCR_API_KEY": KEY, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout)["text"] == "b5wn6"

    def test_a_pasted_key_is_no_image(self, guarded: Page) -> None:
        guarded.evaluate("(key) => navigator.clipboard.writeText(key)", KEY)
        guarded.get_by_label("This service needs an API key").click()
        guarded.keyboard.press("Control+V")
        guarded.keyboard.press("Enter")
        read_sample(guarded, "b5wn6")
        expect(guarded.locator("#notice")).to_be_hidden()


class TestModels:
    @pytest.fixture(scope="class")
    def store(self, tmp_path_factory: pytest.TempPathFactory, shipped_model: Path) -> Path:
        """The shipped model, as two versions of captcha and one of another."""
        store = tmp_path_factory.mktemp("store")
        for place in ("captcha/1", "captcha/2", "mine/7"):
            shutil.copytree(shipped_model, store / place)
        return store

    def test_any_can_be_chosen_and_reads_what_is_listed(
        self, open_page: OpenPage, run_server: RunServer, store: Path
    ) -> None:
        page = open_page(run_server(OCR_MODEL_STORE=str(store)).url)
        model, version = (page.get_by_role("combobox", name=name) for name in ("Model", "Version"))
        used = page.locator("#model-used")
        read_sample(page, "b5wn6")
        expect(used).to_have_text("captcha 2")
        version.select_option("1")
        expect(used).to_have_text("captcha 1")
        expect(page.locator("#curl")).to_contain_text("/predict?alternatives=5&version=1'")
        model.select_option("mine")
        expect(used).to_have_text("mine 7")
        expect(version.locator("option")).to_have_text(["7 (newest)"])
        expect(page.locator("#curl")).to_contain_text("/predict?alternatives=5&model=mine'")
        model.select_option("captcha (default)")
        expect(used).to_have_text("captcha 2")
        expect(page.locator("#curl")).to_contain_text("/predict?alternatives=5'")

    def test_the_sample_is_that_of_the_model_and_needs_no_file_but_the_key(
        self, open_page: OpenPage, run_server: RunServer, tmp_path: Path, shipped_model: Path, general_model: Path
    ) -> None:
        shutil.copytree(shipped_model, tmp_path / "store" / "captcha" / "1")
        shutil.copytree(shipped_model, tmp_path / "store" / "captcha" / "2")
        for name in ("golden.png", "golden.txt", "SHA256SUMS"):
            (tmp_path / "store" / "captcha" / "1" / name).unlink()
        shutil.copytree(general_model, tmp_path / "store" / "general" / "1")
        page = open_page(run_server(OCR_MODEL_STORE=str(tmp_path / "store"), OCR_API_KEY=KEY).url, refusals=True)
        page.get_by_label("This service needs an API key").fill(KEY)
        page.keyboard.press("Enter")
        text = (shipped_model / "golden.txt").read_text().strip()
        expect(page.get_by_role("button", name=f"Sample {text}")).to_be_visible()
        page.get_by_label("Version").select_option("1")
        expect(page.locator("#samples")).to_be_hidden()
        page.get_by_role("combobox", name="Model").select_option("general")
        text = (general_model / "golden.txt").read_text().strip()
        expect(page.locator("#samples")).to_contain_text("Sample of general")
        page.get_by_role("button", name=f"Sample {text}").click()
        expect_text(page, text)
        command = page.locator("#curl").inner_text()
        done = subprocess.run(
            ["bash", "-c", command],
            env={"OCR_API_KEY": KEY, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout)["text"] == text

    @pytest.fixture(scope="class")
    def without_default(
        self, run_module_server: RunServer, tmp_path_factory: pytest.TempPathFactory, shipped_model: Path
    ) -> str:
        """A service whose only model is not the default one."""
        store = tmp_path_factory.mktemp("without") / "store"
        shutil.copytree(shipped_model, store / "mine" / "7")
        return run_module_server(wait=False, OCR_MODEL_STORE=str(store)).url

    def test_without_the_default_model_another_is_named(
        self, open_page: OpenPage, without_default: str, shipped_model: Path
    ) -> None:
        page = open_page(without_default)
        choose(page, shipped_model / "golden.png")
        expect_text(page, (shipped_model / "golden.txt").read_text().strip())
        expect(page.locator("#model-used")).to_have_text("mine 7")

    def test_an_image_that_comes_before_they_are_known_waits_for_them(
        self, open_page: OpenPage, without_default: str, shipped_model: Path
    ) -> None:
        page = open_page(without_default)
        asked: list[Route] = []

        def hold(route: Route) -> None:
            asked.append(route)

        page.route("**/models", hold)
        page.reload()
        choose(page, shipped_model / "golden.png")
        expect(page.locator("#result")).to_be_visible()
        while not asked:
            page.wait_for_timeout(10)
        asked[0].continue_()
        expect_text(page, (shipped_model / "golden.txt").read_text().strip())


class TestPrefix:
    @pytest.fixture
    def proxy(self, server: str) -> Iterator[str]:
        """A proxy that answers below a prefix only, and takes it off."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not self.path.startswith(f"{PREFIX}/"):
                    self.send_error(404)
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                address = server + self.path.removeprefix(PREFIX)
                answer = httpx.request(self.command, address, headers=dict(self.headers), content=body)
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.content)

            do_POST = do_GET  # noqa: N815

        with serving(Handler) as address:
            yield f"{address}{PREFIX}/"

    def test_the_page_works_behind_a_proxy_that_adds_one(
        self, open_page: OpenPage, proxy: str, shipped_model: Path
    ) -> None:
        page = open_page(proxy)
        page.locator("#sample").click()
        text = (shipped_model / "golden.txt").read_text().strip()
        expect_text(page, text)
        expect(page.locator("#curl")).to_contain_text(f"{proxy}predict?alternatives=5")
        href = page.get_by_role("link", name="API documentation").evaluate("link => link.href")
        assert href.partition("#")[0] == f"{proxy}docs"
        done = subprocess.run(["bash", "-c", page.locator("#curl").inner_text()], capture_output=True, check=True)
        assert json.loads(done.stdout)["text"] == text
