"""`GET /` and the files of the page."""

import mimetypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.page import MEDIA_TYPES, WEB
from app.shared.places import SHARED_WEB

Problem = Callable[[Any, int], dict[str, Any]]
STATIC = WEB / "static"
FILES = sorted(
    f"/static/{place}{path.name}"
    for place, folder in (("", STATIC), ("shared/", SHARED_WEB))
    for path in folder.iterdir()
)
REFERENCE = re.compile(r"""(?:\b(?:src|href|action|data|poster)=|url\(|\bfrom |\bimport\(?)\s*["']([^"']+)["']""")
DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


@pytest.fixture(scope="module")
def html(client: TestClient) -> str:
    return client.get("/").text


class TestTheDocument:
    def test_it_is_there(self, client: TestClient) -> None:
        page = client.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<title>Captcha reader</title>" in page.text

    def test_head_has_the_same_headers(self, client: TestClient) -> None:
        answered, asked = client.get("/"), client.head("/")
        assert asked.status_code == 200
        for header in ("content-type", "content-length", "etag", "cache-control", "content-security-policy"):
            assert asked.headers[header] == answered.headers[header]

    def test_it_has_no_inline_scripts_or_styles(self, html: str) -> None:
        scripts = re.findall(r"<script\b([^>]*)>(.*?)</script>", html, re.DOTALL)
        assert scripts
        for attributes, content in scripts:
            assert "src=" in attributes
            assert content == ""
        assert not re.findall(r"<style\b|\sstyle=|\son\w+=|javascript:", html)

    def test_it_needs_no_key(self, start: Callable[..., TestClient]) -> None:
        client = start(api_key="secret-of-this-test")
        assert [client.get(path).status_code for path in ("/", *FILES)] == [200] * (1 + len(FILES))

    def test_other_methods_are_refused(self, client: TestClient, problem: Problem) -> None:
        assert "GET" in problem(client.post("/"), 405)["detail"]


class TestReferences:
    """References are relative, so that they follow a prefix, and their files exist."""

    @pytest.mark.parametrize("path", ["/", *(path for path in FILES if path.endswith((".js", ".css", ".svg")))])
    def test_none_is_absolute(self, client: TestClient, path: str) -> None:
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        assert not re.findall(r"https?:|[\"'(]//", text)
        assert not [reference for reference in REFERENCE.findall(text) if reference.startswith("/")]

    @pytest.mark.parametrize("path", ["/", *(path for path in FILES if path.endswith((".js", ".css")))])
    def test_all_exist(self, client: TestClient, path: str) -> None:
        for reference in REFERENCE.findall(client.get(path).text):
            assert client.get(str(client.base_url.join(path).join(reference))).status_code == 200, reference

    def test_every_file_is_used(self, client: TestClient) -> None:
        texts = [client.get(path).text for path in ("/", *FILES)]
        referred = {Path(reference).name for text in texts for reference in REFERENCE.findall(text)}
        assert {Path(path).name for path in FILES} <= referred


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", *FILES])
    def test_the_policy_is_strict(self, client: TestClient, path: str) -> None:
        policy = client.get(path).headers["content-security-policy"]
        assert dict(directive.split(maxsplit=1) for directive in policy.split("; ")) == DIRECTIVES

    @pytest.mark.parametrize("path", ["/", *FILES])
    def test_it_is_cached_but_revalidated(self, client: TestClient, path: str) -> None:
        answer = client.get(path)
        assert answer.headers["cache-control"] == "no-cache"
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["content-security-policy"] == answer.headers["content-security-policy"]

    def test_the_media_types_do_not_depend_on_the_machine(
        self, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mimetypes, "_db", mimetypes.MimeTypes(filenames=()))
        for known in mimetypes._db.types_map:  # type: ignore[attr-defined]
            known.clear()
        client = start()
        for path in FILES:
            media_type = MEDIA_TYPES[Path(path).suffix]
            assert client.get(path).headers["content-type"].partition(";")[0] == media_type


class TestOtherPaths:
    @pytest.mark.parametrize("path", ["/static/nope.js", "/static/shared", "/static/shared/", "/index.html"])
    def test_a_missing_file_is_a_problem(self, client: TestClient, problem: Problem, path: str) -> None:
        problem(client.get(path), 404)

    @pytest.mark.parametrize(
        "path",
        [
            "/static/../index.html",
            "/static/%2e%2e/index.html",
            "/static/..%2f..%2fmain.py",
            "/static/%2fetc/passwd",
            "/static/..%5c..%5cmain.py",
            "/static/%00",
            "/static/" + "x" * 300,
        ],
    )
    def test_no_path_escapes_the_folder(self, client: TestClient, problem: Problem, path: str) -> None:
        problem(client.get(path), 404)


def test_no_file_is_long() -> None:
    paths = [path for folder in (WEB, SHARED_WEB) for path in folder.rglob("*.*")]
    lengths = {path.name: path.read_text().count("\n") for path in paths}
    assert max(lengths.values()) < 400
