"""Security headers, allowed host names, allowed origins."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

Problem = Callable[[Any, int], dict[str, Any]]
PROBES = ("/livez", "/readyz", "/health")
PAGE = "https://page.example"


ANSWERS = [
    ("GET", "/livez"),
    ("GET", "/models"),
    ("GET", "/openapi.json"),
    ("GET", "/nope"),
    ("GET", "/"),
    ("POST", "/predict"),
    ("DELETE", "/predict"),
    ("GET", "/docs"),
    ("GET", "/static-offline-docs/swagger-ui.css"),
    ("GET", "/static-offline-docs/nope"),
]


class TestHeaders:
    @pytest.mark.parametrize(("method", "path"), ANSWERS)
    def test_every_response_has_security_headers(self, client: TestClient, method: str, path: str) -> None:
        headers = client.request(method, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert "frame-ancestors 'none'" in policy

    def test_responses_are_not_cached(self, client: TestClient, samples: dict[str, bytes]) -> None:
        for response in (client.post("/predict", content=samples["ef2ec"]), client.get("/models"), client.get("/nope")):
            assert response.headers["cache-control"] == "no-store"

    def test_only_pages_may_run_scripts(self, client: TestClient) -> None:
        for path in ("/", "/docs"):
            assert "script-src" in client.get(path).headers["content-security-policy"]
        for path in ("/models", "/nope", "/static", "/predict"):
            assert "script-src" not in client.get(path).headers["content-security-policy"]

    def test_an_internal_error_has_security_headers(
        self, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = start()
        application: Any = client.app
        monkeypatch.setattr(application.state.service, "store", None)
        response = client.get("/models")
        assert response.status_code == 500
        assert response.headers["x-content-type-options"] == "nosniff"


class TestHosts:
    NAMES = "api.example.com, *.lan,[::1]"

    @pytest.fixture
    def named(self, start: Callable[..., TestClient]) -> TestClient:
        return start(allowed_hosts=self.NAMES)

    @pytest.mark.parametrize(
        "host", ["api.example.com", "API.Example.COM:8000", "api.example.com:", "reader.lan", "a.b.lan:1", "[::1]:8000"]
    )
    def test_requests_for_allowed_hosts_are_answered(
        self, named: TestClient, samples: dict[str, bytes], host: str
    ) -> None:
        response = named.post("/predict", content=samples["ef2ec"], headers={"host": host})
        assert response.json()["text"] == "ef2ec"

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "evil.example",
            "example.com",
            "api.example.com.evil.example",
            "lan",
            ".lan.evil",
            "127.0.0.1",
            "a:b:c",
            "é",
        ],
    )
    @pytest.mark.parametrize("path", ["/predict", "/models", "/docs", "/openapi.json", "/nope"])
    def test_other_hosts_are_refused(self, named: TestClient, problem: Problem, path: str, host: str) -> None:
        response = named.get(path, headers={"host": host.encode()})
        detail = problem(response, 400)["detail"]
        assert "OCR_ALLOWED_HOSTS" in detail
        assert "example.com" not in detail

    def test_probes_are_exempt(self, named: TestClient) -> None:
        for path in PROBES:
            assert named.get(path, headers={"host": "10.0.0.7:8000"}).status_code == 200

    def test_any_host_is_allowed_by_default(self, client: TestClient) -> None:
        assert client.get("/models", headers={"host": "evil.example"}).status_code == 200


class TestOrigins:
    def test_other_origins_are_not_allowed_by_default(self, client: TestClient) -> None:
        ask = {"origin": PAGE, "access-control-request-method": "POST"}
        for response in (client.get("/models", headers={"origin": PAGE}), client.options("/predict", headers=ask)):
            assert not [name for name in response.headers if name.startswith("access-control")]

    @pytest.mark.parametrize(("origins", "allowed"), [(f"https://a.example,{PAGE}", PAGE), ("*", "*")])
    def test_allowed_origins_may_call(
        self, start: Callable[..., TestClient], samples: dict[str, bytes], origins: str, allowed: str
    ) -> None:
        client = start(cors_origins=origins)
        ask = {
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-api-key,x-request-id",
        }
        asked = client.options("/predict", headers=ask)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == allowed
        answer = client.post("/predict", content=samples["ef2ec"], headers={"origin": PAGE})
        assert answer.json()["text"] == "ef2ec"
        assert answer.headers["access-control-allow-origin"] == allowed
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]

    def test_allowed_origins_can_read_problems(self, start: Callable[..., TestClient], problem: Problem) -> None:
        response = start(cors_origins=PAGE).post("/predict", content=b"no image", headers={"origin": PAGE})
        problem(response, 415)
        assert response.headers["access-control-allow-origin"] == PAGE

    def test_origins_that_are_not_listed_may_not_call(self, start: Callable[..., TestClient], problem: Problem) -> None:
        client = start(cors_origins="https://a.example")
        ask = {"origin": PAGE, "access-control-request-method": "POST"}
        refused = client.options("/predict", headers=ask)
        assert "CORS origin" in problem(refused, 400)["detail"]
        assert "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in client.get("/models", headers={"origin": PAGE}).headers
