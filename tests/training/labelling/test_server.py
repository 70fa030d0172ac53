"""Requests from the page, and from others."""

import warnings
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from app.inference.images import decode_image
from tests.training.labelling.conftest import write_image
from training.data.layouts import read_samples
from training.labelling.access import HEADERS, Access
from training.labelling.decisions import Decisions
from training.labelling.guesses import Expected
from training.labelling.schemas import Folder
from training.labelling.server import create_app
from training.labelling.session import Session

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette would rather have httpx2, the next generation of httpx
    from fastapi.testclient import TestClient

ORIGIN = "http://127.0.0.1:8001"
FOLDER = Folder(folder="images", labels_file="labels.csv", train_command="train")


@pytest.fixture
def access() -> Access:
    return Access()


@pytest.fixture
def outsider(session: Session, access: Access) -> Iterator[TestClient]:
    """Return a client that does not know the token."""
    with TestClient(create_app(session, FOLDER, access), base_url=ORIGIN, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(outsider: TestClient, access: Access) -> TestClient:
    """Return a client like the page."""
    outsider.base_url = outsider.base_url.join(f"/{access.token}/")
    return outsider


def take(client: TestClient, tab: str = "tab") -> dict[str, Any]:
    task: dict[str, Any] = client.post("next", json={"tab": tab}).json()["task"]
    return task


def decide(client: TestClient, task: dict[str, Any], **decision: Any) -> Response:
    body = {"tab": "tab", "kind": "label", "revision": task["revision"], **decision}
    return client.put(f"images/{task['number']}/decision", json=body)


def problem_of(response: Response, status: HTTPStatus) -> str:
    """Return the detail of a problem document."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (document["status"], document["title"]) == (status, status.phrase)
    return str(document["detail"])


class TestLabelling:
    def test_a_decision_is_saved_and_answered_with_the_next_image(self, client: TestClient, folder: Path) -> None:
        answer = decide(client, take(client), label=" x ", guess={"text": "y", "model": "captcha/1"})
        assert answer.status_code == HTTPStatus.OK
        assert answer.json()["task"]["name"] == "b, c.jpg"
        assert answer.json()["status"]["agreement"] == {"agreed": 0, "labels": 1}
        assert [sample.label for sample in read_samples(folder / "labels.csv")] == ["x"]

    def test_tabs_get_different_images(self, client: TestClient) -> None:
        assert take(client, "one")["number"] != take(client, "two")["number"]

    def test_the_image_of_a_closed_tab_goes_to_another(self, client: TestClient) -> None:
        given = take(client, "one")["number"]
        assert client.delete("tab", params={"tab": "one"}).status_code == HTTPStatus.NO_CONTENT
        assert take(client, "two")["number"] == given

    def test_an_image_decided_in_the_meantime_is_a_conflict(self, client: TestClient) -> None:
        task = take(client)
        decide(client, task, label="theirs", tab="other")
        detail = problem_of(decide(client, task, label="mine"), HTTPStatus.CONFLICT)
        assert 'a.png was labelled "theirs"' in detail

    def test_going_back_returns_the_previous_image_or_none(self, client: TestClient) -> None:
        assert client.get("previous", params={"tab": "tab"}).json() is None
        task = take(client)
        decide(client, task, label="x")
        earlier = client.get("previous", params={"tab": "tab", "shown": 1}).json()
        assert (earlier["number"], earlier["label"]) == (0, "x")

    def test_an_image_can_be_decided_again(self, client: TestClient, folder: Path) -> None:
        decide(client, take(client), label="x")
        listed = client.get("status", params={"tab": "tab"}).json()["last"]
        task = client.get(f"images/{listed[0]['number']}/task").json()
        assert (task["number"], task["label"]) == (0, "x")
        decide(client, task, label="y")
        assert [sample.label for sample in read_samples(folder / "labels.csv")] == ["y"]

    def test_the_form_of_labels_can_be_set(self, client: TestClient, session: Session) -> None:
        answer = client.put("expected", json={"tab": "tab", "length": 5, "charset": "0123456789"})
        assert answer.status_code == HTTPStatus.OK
        assert session.guesses.expected == Expected(5, "0123456789")
        status = client.get("status", params={"tab": "other"}).json()
        assert status["expected"] == {"length": 5, "charset": "0123456789"}
        client.put("expected", json={"tab": "tab", "length": None, "charset": ""})
        assert session.guesses.expected == Expected()

    @pytest.mark.parametrize(
        "body", [{"length": 0}, {"length": 501}, {"length": "x"}, {"charset": "x" * 501}, {"x": 1}]
    )
    def test_an_impossible_form_of_labels_is_rejected(self, client: TestClient, body: dict[str, Any]) -> None:
        answer = client.put("expected", json={"tab": "tab", "length": None, "charset": "", **body})
        problem_of(answer, HTTPStatus.UNPROCESSABLE_ENTITY)

    def test_when_all_are_decided_there_is_no_image(self, client: TestClient) -> None:
        while (task := take(client)) is not None:
            decide(client, task, kind="unreadable")
        assert client.get("status", params={"tab": "tab"}).json()["left"] == 0

    @pytest.mark.parametrize("label", ["", "  ", "a\nb", "x" * 600])
    def test_invalid_labels_are_rejected_with_a_reason(self, client: TestClient, folder: Path, label: str) -> None:
        assert "label" in problem_of(decide(client, take(client), label=label), HTTPStatus.UNPROCESSABLE_ENTITY)
        assert not (folder / "labels.csv").exists()

    @pytest.mark.parametrize("body", [{"kind": "lost"}, {"tab": "../x"}, {"more": 1}, {"revision": None}])
    def test_invalid_decisions_are_rejected(self, client: TestClient, body: dict[str, Any]) -> None:
        problem_of(decide(client, take(client), **body), HTTPStatus.UNPROCESSABLE_ENTITY)

    def test_a_table_damaged_in_the_meantime_is_reported_and_unchanged(self, client: TestClient, folder: Path) -> None:
        task = take(client)
        (folder / "labels.csv").write_text("spoilt")
        detail = problem_of(decide(client, task, label="x"), HTTPStatus.INTERNAL_SERVER_ERROR)
        assert "the first line must contain the columns path,label" in detail
        assert (folder / "labels.csv").read_text() == "spoilt"

    def test_a_full_disk_is_reported(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def full_disk(*_: object) -> None:
            raise OSError(28, "No space left on device", "labels.csv")

        monkeypatch.setattr(Decisions, "record", full_disk)
        detail = problem_of(decide(client, take(client), label="x"), HTTPStatus.INTERNAL_SERVER_ERROR)
        assert "No space left on device" in detail

    def test_training_cannot_be_started_without_retraining(self, client: TestClient) -> None:
        assert client.post("training", json={"tab": "tab"}).json()["training"] is None


class TestImages:
    def test_are_png_whatever_they_were(self, client: TestClient) -> None:
        answer = client.get("images/2.png")
        assert answer.headers["content-type"] == "image/png"
        assert decode_image(answer.content).shape[:2] == (20, 60)

    @pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<!doctype html>", b""])
    def test_other_files_are_not_served(self, client: TestClient, folder: Path, content: bytes) -> None:
        (folder / "a.png").write_bytes(content)
        problem_of(client.get("images/0.png"), HTTPStatus.UNPROCESSABLE_ENTITY)

    @pytest.mark.parametrize(
        "number", ["4", "-1", "1e0", "..%2f..%2fsecret", "%2e%2e/secret", "../secret", "0/../secret"]
    )
    def test_unknown_numbers_are_not_found(self, client: TestClient, folder: Path, number: str) -> None:
        write_image(folder.parent / "secret.png")
        answer = client.get(f"images/{number}.png")
        assert problem_of(answer, HTTPStatus(answer.status_code))
        assert answer.status_code in {404, 422, 403}

    def test_replaced_by_links_out_of_the_folder_are_not_served(self, client: TestClient, folder: Path) -> None:
        (folder / "a.png").unlink()
        (folder / "a.png").symlink_to(write_image(folder.parent / "secret.png"))
        assert "outside the folder" in problem_of(client.get("images/0.png"), HTTPStatus.UNPROCESSABLE_ENTITY)


class TestOutsiders:
    PATHS = ("", "status?tab=x", "folder", "images/0.png", "images/0/task", "previous?tab=x")

    @pytest.mark.parametrize("path", PATHS)
    def test_without_the_token_see_nothing(self, outsider: TestClient, access: Access, path: str) -> None:
        for token in ("x", access.token[:-1], access.token + "x", access.invitation, "%00", "é"):
            assert "printed" in problem_of(outsider.get(f"/{token}/{path}"), HTTPStatus.FORBIDDEN)

    def test_without_the_token_change_nothing(self, outsider: TestClient, session: Session) -> None:
        body = {"tab": "tab", "kind": "label", "label": "x", "revision": "undecided"}
        problem_of(outsider.put("/x/images/0/decision", json=body), HTTPStatus.FORBIDDEN)
        assert session.status("tab").labelled == 0

    def test_cannot_get_the_token_from_other_paths(self, outsider: TestClient, access: Access) -> None:
        for path in (
            "/",
            "/web/main.js",
            "/docs",
            "/openapi.json",
            "/open/x",
            "/web/../routes.py",
            "/web/%2e%2e/access.py",
        ):
            answer = outsider.get(path)
            assert access.token not in answer.text + str(answer.headers)
            assert answer.status_code == HTTPStatus.OK if path == "/web/main.js" else HTTPStatus.NOT_FOUND

    def test_that_reuse_the_invitation_are_rejected(self, outsider: TestClient, access: Access) -> None:
        answer = outsider.get(f"/open/{access.invitation}")
        assert (answer.status_code, answer.headers["location"]) == (HTTPStatus.SEE_OTHER, f"/{access.token}/")
        problem_of(outsider.get(f"/open/{access.invitation}"), HTTPStatus.FORBIDDEN)

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8001", "127.0.0.1.evil.example", ""])
    def test_with_another_host_name_are_rejected(self, client: TestClient, host: str) -> None:
        assert client.get("status", params={"tab": "tab"}, headers={"Host": host}).status_code == HTTPStatus.BAD_REQUEST

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "http://127.0.0.1:8000", "http://localhost:8001", "null"]
    )
    def test_from_another_origin_change_nothing(self, client: TestClient, session: Session, origin: str) -> None:
        task = take(client)
        client.headers["Origin"] = origin
        assert "Only the labelling page" in problem_of(decide(client, task, label="x"), HTTPStatus.FORBIDDEN)
        assert session.status("tab").labelled == 0
        client.headers["Origin"] = ORIGIN
        assert decide(client, task, label="x").status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "path", ["", "status?tab=x", "images/0.png", "images/9.png", "/web/main.js", "/web/shared/zoom.js", "/nothing"]
)
def test_every_response_has_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS


def test_the_secrets_are_long_and_differ_at_every_start(access: Access) -> None:
    tokens = {Access().token, access.token, access.invitation}
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 43


def test_the_labels_of_an_earlier_session_are_kept(client: TestClient, open_decisions: Callable[[], Decisions]) -> None:
    decide(client, take(client), label="x")
    assert len(open_decisions().all) == 1
