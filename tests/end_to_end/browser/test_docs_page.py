"""`/docs` in a real browser: its examples work as they stand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect


@pytest.fixture
def page(open_page: Callable[..., Page], server: str, complaints: list[str]) -> Iterator[Page]:
    """The page, which must not complain or miss anything."""

    def miss(request: Request) -> None:
        complaints.append(f"failed: {request.url}")

    page = open_page(f"{server}/docs")
    page.on("requestfailed", miss)
    yield page
    page.remove_listener("requestfailed", miss)


@pytest.fixture
def predict(page: Page) -> Locator:
    """The block of POST /predict, opened."""
    block = page.locator(".opblock", has=page.locator("[data-path='/predict']"))
    block.locator(".opblock-summary-control").click()
    return block


def execute(block: Locator) -> str:
    """Send the request and return the body of the answer as the page shows it."""
    with block.page.expect_response("**/predict*") as response:
        block.get_by_role("button", name="Execute").click()
    assert response.value.status == 200
    body = block.locator(".live-responses-table .response-col_description .highlight-code").first
    body.wait_for()
    return body.inner_text()


def test_it_opens_with_a_form_that_has_a_file_chooser(predict: Locator, repository: Path) -> None:
    predict.locator("input[type=file]").set_input_files(repository / "samples" / "b5wn6.png")
    assert '"text": "b5wn6"' in execute(predict)


def test_the_page_at_the_root_leads_to_that_form(
    open_page: Callable[..., Page], server: str, complaints: list[str]
) -> None:
    page = open_page(server)
    page.get_by_role("link", name="API documentation").click()
    expect(page.locator("input[type=file]")).to_be_visible()
    complaints.clear()  # Swagger UI warns of the address


def test_the_example_is_answered_with_its_text(predict: Locator) -> None:
    predict.locator("select.content-type").first.select_option("application/json")
    assert '"text": "ef2ec"' in execute(predict)


def test_a_file_may_be_the_body_itself(predict: Locator, repository: Path) -> None:
    predict.locator("select.content-type").first.select_option("image/png")
    predict.locator("input[type=file]").set_input_files(repository / "samples" / "b5wn6.png")
    assert '"text": "b5wn6"' in execute(predict)


def test_every_other_call_can_be_tried(page: Page) -> None:
    for path in ("/models", "/livez", "/readyz", "/health"):
        block = page.locator(".opblock", has=page.locator(f"[data-path='{path}']"))
        block.locator(".opblock-summary-control").click()
        with page.expect_response(f"**{path}") as response:
            block.get_by_role("button", name="Execute").click()
        assert response.value.status == 200
        response.value.finished()  # or closing the page could cut off the body, which is a complaint
