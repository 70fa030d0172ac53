"""Every error is a problem document (RFC 9457) without internal details."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import examples

Problem = Callable[[Any, int], dict[str, Any]]
PATHS = ["/predict", "/predict/batch", "/models", "/models/captcha", "/livez", "/readyz", "/health", "/docs"]


@pytest.mark.parametrize("path", ["/nope", "/predict/nope", "/models/a/b", "/.env", "/static-offline-docs/nope.js"])
def test_404(client: TestClient, problem: Problem, path: str) -> None:
    document = problem(client.get(path), 404)
    assert document["instance"] == path
    assert "/docs" in document["detail"]


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/a%20b", "/a%20b"),
        ("/%C3%A9", "/%C3%A9"),
        ("/a%0Ab", "/a%0Ab"),
        ("/%00", "/%00"),
        ("/%3Cb%3E", "/%3Cb%3E"),
        ("/a%3Fb%23c", "/a%3Fb%23c"),
        ("/nope?key=secret", "/nope"),
    ],
)
def test_the_instance_is_a_uri_without_the_query(
    client: TestClient, problem: Problem, path: str, instance: str
) -> None:
    assert problem(client.get(path), 404)["instance"] == instance


@pytest.mark.parametrize("host", ["[", "a b", "a:99999", "//", "@", "<b>", ""])
def test_an_unusual_host_is_handled(client: TestClient, problem: Problem, host: str) -> None:
    assert problem(client.get("/nope", headers={"host": host}), 404)["instance"] == "/nope"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("BREW", "/predict/batch", "POST"),
        ("POST", "/models", "GET"),
        ("DELETE", "/models/captcha", "GET"),
        ("POST", "/livez", "GET"),
        ("PATCH", "/openapi.json", "GET"),
    ],
)
def test_405_lists_the_allowed_methods(
    client: TestClient, problem: Problem, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    document = problem(response, 405)
    assert allowed in response.headers["allow"].split(", ")
    assert allowed in document["detail"]


class TestFault:
    MESSAGE = "cannot open /etc/ocr/secret.pem"

    @pytest.fixture
    def faulty(self, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch) -> TestClient:
        def fail(*_: object) -> None:
            raise RuntimeError(self.MESSAGE)

        client = start()
        application: Any = client.app
        monkeypatch.setattr(application.state.service.store, "get", fail)
        return client

    def test_500_has_no_internal_details(self, faulty: TestClient, samples: dict[str, bytes], problem: Problem) -> None:
        for response in (faulty.post("/predict", content=samples["ef2ec"]), faulty.get("/models/captcha")):
            document = problem(response, 500)
            assert document["detail"] == "The service could not answer the request because of an internal error."
            for word in (self.MESSAGE, "secret", "RuntimeError", "Traceback", "fail"):
                assert word not in response.text
                assert word not in str(response.headers)

    def test_500_has_the_request_id_of_the_log(self, faulty: TestClient, problem: Problem) -> None:
        response = faulty.get("/models/captcha", headers={"X-Request-ID": "mine"})
        assert problem(response, 500)["request_id"] == "mine"

    def test_the_service_continues(self, faulty: TestClient) -> None:
        faulty.get("/models/captcha")
        assert faulty.get("/livez").status_code == 200


FORM_PARTS = [
    b"--x",
    b"--x--",
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Disposition: form-data",
    b'; name="file"',
    b'; name="files"',
    b'; filename="a.png"',
    b"; filename*=utf-8''a",
    b"Content-Type: image/png",
    b"Content-Transfer-Encoding: base64",
    b"\x89PNG\r\n\x1a\n",
    b'{"image": "',
    b'"}',
    b"iVBORw0KGgo=",
]
bodies = st.binary(max_size=200) | st.lists(st.sampled_from(FORM_PARTS) | st.binary(max_size=4), max_size=20).map(
    b"".join
)
content_types = st.sampled_from(
    [
        b"multipart/form-data; boundary=x",
        b"multipart/form-data; boundary=x; charset=undefined",
        b"application/json",
        b"image/png",
    ]
) | st.lists(
    st.sampled_from([b"multipart/form-data", b"application/json", b";", b"boundary", b"charset", b"=", b"x", b'"'])
    | st.binary(max_size=3),
    max_size=8,
).map(b"".join)
header_names = st.sampled_from(
    ["accept", "authorization", "content-encoding", "cookie", "host", "range", "transfer-encoding", "x-request-id"]
)
paths = st.sampled_from(PATHS) | st.text(max_size=20).map(lambda text: "/" + quote(text, errors="replace"))
queries = st.dictionaries(st.sampled_from(["model", "version", "x"]), st.text(max_size=5), max_size=2)


def check_answer(response: Any, problem: Problem) -> None:
    if response.status_code >= 400:
        problem(response, response.status_code)
        assert response.status_code < 500
    else:
        assert response.status_code == 200
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", response.headers["x-request-id"])


@examples(200, derandomize=True)
@given(path=st.sampled_from(["/predict", "/predict/batch"]), content_type=content_types, body=bodies)
@example(path="/predict", content_type=b"multipart/form-data; boundary=x", body=b"--x\r\n\r\n\r\n--x--")
@example(path="/predict", content_type=b"multipart/form-data; boundary=x; charset=a\x00", body=b"--x--")
def test_any_upload_is_answered_with_a_text_or_a_problem(
    client: TestClient, problem: Problem, path: str, content_type: bytes, body: bytes
) -> None:
    check_answer(client.post(path, content=body, headers={"content-type": content_type}), problem)


@examples(200, derandomize=True)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"]),
    path=paths,
    query=queries,
    headers=st.dictionaries(header_names, st.binary(max_size=10), max_size=3),
    body=st.binary(max_size=20),
)
@example(method="GET", path="//host/predict", query={}, headers={}, body=b"")
@example(method="GET", path="/static-offline-docs/%00", query={}, headers={}, body=b"")
def test_any_request_is_answered_with_success_or_a_problem(
    client: TestClient,
    problem: Problem,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, bytes],
    body: bytes,
) -> None:
    check_answer(client.request(method, path, params=query, headers=headers, content=body), problem)
