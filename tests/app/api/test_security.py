"""`OCR_API_KEY` and `OCR_API_KEY_FILE`: no readings or models without the key."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings

Problem = Callable[[Any, int], dict[str, Any]]
KEY = "open sesame-1234"
GUARDED = [("POST", "/predict"), ("POST", "/predict/batch"), ("GET", "/models"), ("GET", "/models/captcha")]
WRONG = {
    "none": {},
    "an empty one": {"X-API-Key": ""},
    "another": {"X-API-Key": "another"},
    "one that is longer": {"X-API-Key": KEY + "5"},
    "one that is shorter": {"X-API-Key": KEY[:-1]},
    "other letters": {"X-API-Key": KEY.upper()},
    "another as Bearer": {"Authorization": "Bearer another"},
    "none as Bearer": {"Authorization": "Bearer"},
    "the key as another scheme": {"Authorization": f"Basic {KEY}"},
    "no ASCII": {"X-API-Key": "é".encode()},
}
RIGHT = {
    "Bearer": {"Authorization": f"Bearer {KEY}"},
    "bearer": {"authorization": f"bearer {KEY}"},
    "X-API-Key": {"X-API-Key": KEY},
    "X-API-Key besides another scheme": {"X-API-Key": KEY, "Authorization": "Basic eDp5"},
}


@pytest.fixture
def guarded(start: Callable[..., TestClient]) -> TestClient:
    return start(api_key=KEY)


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_request_without_the_right_key_is_refused(
    guarded: TestClient, problem: Problem, method: str, path: str, headers: dict[str, str]
) -> None:
    response = guarded.request(method, path, headers=headers)
    detail = problem(response, 401)["detail"]
    assert response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in detail
    assert "X-API-Key" in detail
    assert KEY not in response.text


@pytest.mark.parametrize("headers", RIGHT.values(), ids=RIGHT)
def test_a_request_with_the_key_is_answered(
    guarded: TestClient, samples: dict[str, bytes], headers: dict[str, str]
) -> None:
    image = samples["ef2ec"]
    assert guarded.post("/predict", content=image, headers=headers).json()["text"] == "ef2ec"
    assert guarded.post("/predict/batch", files={"files": image}, headers=headers).status_code == 200
    assert guarded.get("/models", headers=headers).status_code == 200
    assert guarded.get("/models/captcha", headers=headers).status_code == 200


def test_there_may_be_several_keys_in_the_variable_and_in_a_file(
    start: Callable[..., TestClient], problem: Problem, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("# of two clients\nthird\nfourth\n")
    client = start(api_key="first, second", api_key_file=tmp_path / "keys")
    for key in ("first", "second", "third", "fourth", " third "):
        assert client.get("/models", headers={"X-API-Key": key}).status_code == 200
    for wrong in ("first, second", "first,", "fifth", "# of two clients", "", "third\tfourth"):
        problem(client.get("/models", headers={"X-API-Key": wrong}), 401)


def test_all_keys_are_compared_even_after_a_match(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start(api_key="first,second,third")
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(secrets, "compare_digest", compare)
    for key in ("first", "third", "none", "a much longer one that is none of them either"):
        client.get("/models", headers={"X-API-Key": key})
    assert len(compared) == 3 * 4
    assert {len(side) for pair in compared for side in pair} == {32}


def test_a_refused_upload_is_not_parsed(guarded: TestClient, problem: Problem) -> None:
    problem(guarded.post("/predict", content=b"", headers={"content-length": "9999999"}), 401)


def test_a_key_beyond_ascii_is_sent_in_utf_8(start: Callable[..., TestClient]) -> None:
    client = start(api_key="Schlüssel")
    assert client.get("/models", headers={"X-API-Key": "Schlüssel".encode()}).status_code == 200


def test_public_paths_need_no_key(guarded: TestClient) -> None:
    for path in ("/livez", "/readyz", "/health", "/docs", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_no_key_is_needed_by_default(client: TestClient) -> None:
    assert client.get("/models").status_code == 200
    assert client.get("/models", headers={"X-API-Key": "any"}).status_code == 200


def test_the_document_says_how_to_send_the_key(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert {(scheme["type"], scheme.get("scheme"), scheme.get("name")) for scheme in schemes.values()} == {
        ("http", "bearer", None),
        ("apiKey", None, "X-API-Key"),
    }
    for method, path in GUARDED:
        operation = document["paths"][path.replace("captcha", "{name}")][method.lower()]
        assert {name for way in operation["security"] for name in way} == set(schemes)
        assert all(len(way) == 1 for way in operation["security"]), "one of them is enough"


def test_the_settings_do_not_show_the_key(settings: Callable[..., Settings]) -> None:
    made = settings(api_key=KEY)
    for shown in (repr(made), str(made), made.model_dump_json()):
        assert KEY not in shown


def test_no_response_contains_the_key(guarded: TestClient) -> None:
    for path in ("/", "/docs", "/openapi.json", "/nope", "/predict", "/readyz"):
        assert KEY not in guarded.get(path).text
