"""The short way to what reads images does what the way through the router does."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

BELOW = "/below"
WRONG = [
    ("/predict", b"no image", 415),
    ("/predict", b"", 415),
    ("/predict?model=another", b"x", 404),
    ("/predict?length=0", b"x", 422),
    ("/predict/batch", b"no form", 415),
]


@pytest.fixture
def without_routes(client: TestClient) -> Iterator[TestClient]:
    """The service, whose router finds nothing."""
    app: Any = client.app
    routes = list(app.router.routes)
    app.router.routes.clear()
    yield client
    app.router.routes.extend(routes)


@pytest.fixture
def routed(client: TestClient) -> TestClient:
    """The service below a path, which only its router knows to take off."""
    return TestClient(client.app, root_path=BELOW)


def test_it_leads_past_the_router(without_routes: TestClient, samples: dict[str, bytes]) -> None:
    for text, image in samples.items():
        assert without_routes.post("/predict", content=image).json()["text"] == text
        (result,) = without_routes.post("/predict/batch", files=[("files", image)]).json()["results"]
        assert result["text"] == text


def test_the_router_leads_there_too(routed: TestClient, samples: dict[str, bytes]) -> None:
    for text, image in samples.items():
        assert routed.post(f"{BELOW}/predict", content=image).json()["text"] == text


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_only_posts_go_there(client: TestClient, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(("path", "content", "status"), WRONG)
def test_errors_are_the_same_problems_both_ways(
    client: TestClient, routed: TestClient, problem: Any, path: str, content: bytes, status: int
) -> None:
    named = {"X-Request-ID": "same"}
    short = client.post(path, content=content, headers=named)
    through_router = routed.post(f"{BELOW}{path}", content=content, headers=named)
    expected = problem(through_router, status) | {"instance": path.partition("?")[0]}
    assert problem(short, status) == expected
    length = "content-length"  # of another path
    assert dict(short.headers) | {length: ""} == dict(through_router.headers) | {length: ""}
