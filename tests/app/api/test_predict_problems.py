"""`POST /predict` with unreadable input: problems that say what is valid."""

import base64
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.inference.images import ACCEPTED

Problem = Callable[[Any, int], dict[str, Any]]
BOUNDARY = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}


def picture(image_format: str, size: tuple[int, int] = (200, 50), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("1", size).convert("L" if size[0] < 1000 else "1").save(file, image_format, **options)
    return file.getvalue()


def part(disposition: str, content: bytes) -> bytes:
    return f"--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"


END = b"--x--\r\n"
FILE = part('name="file"; filename="a.png"', picture("PNG"))


def in_base64(image: bytes) -> str:
    return base64.b64encode(image).decode()


NOT_IMAGES = {
    "nothing": (b"", 415, "empty"),
    "text": (b"Please read me.", 415, ACCEPTED),
    "HTML": (b"<script>alert(1)</script>", 415, ACCEPTED),
    "an SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "export it as PNG"),
    "a PDF": (b"%PDF-1.7", 415, "export the page as PNG"),
    "an animated PNG": (
        picture("PNG", save_all=True, append_images=[Image.new("L", (200, 50), 255)]),
        415,
        "one of its frames",
    ),
    "half a PNG": (picture("PNG")[:60], 422, "damaged"),
    "the start of a PNG": (picture("PNG")[:20], 422, "damaged"),
    "half a JPEG": (picture("JPEG")[:300], 422, "damaged"),
    "too many pixels": (picture("PNG", (5000, 5000)), 413, "at most 4,000,000 pixels"),
    "pixels that fill the memory": (picture("PNG", (8000, 8000)), 413, "at most 4,000,000 pixels"),
    "too wide": (picture("PNG", (9000, 2)), 413, "8192 per side"),
}


@pytest.mark.parametrize(("upload", "status", "words"), NOT_IMAGES.values(), ids=NOT_IMAGES)
def test_an_unreadable_image_is_refused_however_it_is_sent(
    client: TestClient, problem: Problem, upload: bytes, status: int, words: str
) -> None:
    ways: list[dict[str, Any]] = [
        {"content": upload},
        {"files": {"file": ("a.png", upload, "image/png")}},
        {"json": {"image": in_base64(upload)}},
    ]
    details = {problem(client.post("/predict", **way), status)["detail"] for way in ways}
    assert len(details) == 1
    assert words in details.pop()


FORMS = {
    "no boundary": (FILE + END, {"content-type": "multipart/form-data"}, 400, "has no boundary"),
    "no form": (b"not a form", BOUNDARY, 400, "boundary"),
    "another boundary": ((FILE + END).replace(b"--x", b"--y"), BOUNDARY, 400, "boundary"),
    "a boundary that is too long": (
        (FILE + END).replace(b"--x", b"--" + b"x" * 300),
        {"content-type": "multipart/form-data; boundary=" + "x" * 300},
        400,
        "more than 70 characters",
    ),
    "broken headers": (b"--x\r\n?\r\n" + FILE + END, BOUNDARY, 400, "not a form"),
    "a part without a name": (part('filename="a"', b"1") + END, BOUNDARY, 400, "not a form"),
    "a missing end": (FILE[:-20], BOUNDARY, 400, "truncated"),
    "nothing": (b"", BOUNDARY, 400, "truncated"),
    "no parts": (END, BOUNDARY, 422, "one image"),
    "two files": (FILE + FILE + END, BOUNDARY, 422, "/predict/batch"),
    "another name": (FILE.replace(b'name="file"', b'name="image"') + END, BOUNDARY, 422, "'file'"),
    "text in the field": (part('name="file"', b"abc") + END, BOUNDARY, 422, "'file'"),
    "another field": (FILE + part('name="model"', b"captcha") + END, BOUNDARY, 422, "Send only"),
    "other fields": (FILE + 3 * part('name="model"', b"captcha") + END, BOUNDARY, 422, "Send only"),
}


@pytest.mark.parametrize(("body", "headers", "status", "words"), FORMS.values(), ids=FORMS)
def test_a_form_without_exactly_one_image_is_refused(
    client: TestClient, problem: Problem, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    assert words in problem(client.post("/predict", content=body, headers=headers), status)["detail"]


DOCUMENTS = {
    "nothing": (b"", "is not JSON: EOF while parsing a value at line 1 column 0"),
    "no JSON": (b'{"image": ', "is not JSON: EOF while parsing a value at line 1 column 10"),
    "no UTF-8": (b'{"image": "\xff"}', "is not JSON: invalid unicode"),
    "half a character": (rb'{"image": "\ud800"}', "is not JSON: "),
    "very deep": (b"[" * 100_000, "is not JSON: recursion limit"),
    "a list": (b"[]", "is not an object"),
    "no image": (b"{}", "has no 'image'"),
    "another name": (b'{"file": "aaaa"}', "has no 'image'"),
    "null": (b'{"image": null}', "The 'image' is not a string"),
    "a number": (b'{"image": 5}', "The 'image' is not a string"),
    "a list of bytes": (b'{"image": [137, 80, 78, 71]}', "The 'image' is not a string"),
    "no Base64": (b'{"image": "ab%%"}', "is not Base64: the character at position 2"),
    "no ASCII": ('{"image": "é"}'.encode(), "is not Base64: the character at position 0"),
    "Base64 with a character too few": (b'{"image": "iVBOR"}', "truncated or has an extra character"),
    "Base64 after Base64": (b'{"image": "iVA=iVA="}', "'=' is not at the end"),
    "a data URI without Base64": (b'{"image": "data:image/png,%89PNG"}', "a data URI without ';base64,'"),
    "the start of a data URI": (b'{"image": "data:image/png;base6"}', "a data URI without ';base64,'"),
    "very many other keys": (
        json.dumps({"image": "", **dict.fromkeys(map(str, range(50_000)))}).encode(),
        "other fields",
    ),
    "another key": (
        json.dumps({"image": in_base64(picture("PNG")), "model": "captcha"}).encode(),
        "other fields than 'image'",
    ),
}


@pytest.mark.parametrize(("document", "words"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_without_an_image_in_base64_is_refused_with_the_reason(
    client: TestClient, problem: Problem, document: bytes, words: str
) -> None:
    detail = problem(client.post("/predict", content=document, headers=JSON), 422)["detail"]
    assert words in detail
    assert detail.endswith('. Send a document {"image": "…"} with the image file in Base64.')


class TestTooLarge:
    MOST = 1_048_576
    DETAIL = "The upload is too large: at most 1,048,576 bytes."

    def test_by_the_bytes_of_the_image_however_it_is_sent(self, client: TestClient, problem: Problem) -> None:
        upload = bytes(self.MOST + 1)
        for way in ({"content": upload}, {"files": {"file": upload}}, {"json": {"image": in_base64(upload)}}):
            assert problem(client.post("/predict", **way), 413)["detail"] == self.DETAIL

    def test_one_byte_less_is_not_too_large(self, client: TestClient, problem: Problem) -> None:
        upload = bytes(self.MOST)
        for way in ({"content": upload}, {"files": {"file": upload}}, {"json": {"image": in_base64(upload)}}):
            problem(client.post("/predict", **way), 415)

    @pytest.mark.parametrize("headers", [{}, BOUNDARY, JSON], ids=["body", "form", "JSON"])
    def test_by_its_content_length_before_the_body_is_sent(
        self, client: TestClient, problem: Problem, headers: dict[str, str]
    ) -> None:
        response = client.post("/predict", content=b"", headers=headers | {"content-length": "2000000"})
        problem(response, 413)

    @pytest.mark.parametrize("headers", [{}, BOUNDARY, JSON], ids=["body", "form", "JSON"])
    def test_by_the_bytes_received_without_a_length(
        self, client: TestClient, problem: Problem, headers: dict[str, str]
    ) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(20):
                yield bytes(100_000)

        problem(client.post("/predict", content=chunks(), headers=headers), 413)

    def test_the_limit_is_a_setting(self, start: Callable[..., TestClient], problem: Problem) -> None:
        detail = problem(start(max_upload_bytes=1000).post("/predict", content=bytes(1001)), 413)["detail"]
        assert detail == "The upload is too large: at most 1,000 bytes."

    def test_the_limits_of_pixels_are_settings(
        self, start: Callable[..., TestClient], samples: dict[str, bytes], problem: Problem
    ) -> None:
        client = start(max_pixels=9_999)
        assert "at most 9,999 pixels" in problem(client.post("/predict", content=samples["ef2ec"]), 413)["detail"]
        client = start(max_side=199)
        assert "199 per side" in problem(client.post("/predict", content=samples["ef2ec"]), 413)["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x"])
def test_a_content_encoding_is_refused(
    client: TestClient, samples: dict[str, bytes], problem: Problem, encoding: str
) -> None:
    headers = {"content-encoding": encoding}
    response = client.post("/predict", content=gzip.compress(samples["ef2ec"]), headers=headers)
    assert "without a Content-Encoding" in problem(response, 415)["detail"]


def test_the_content_encoding_identity_is_accepted(client: TestClient, samples: dict[str, bytes]) -> None:
    headers = {"content-encoding": "identity"}
    assert client.post("/predict", content=samples["ef2ec"], headers=headers).json()["text"] == "ef2ec"


def test_no_problem_repeats_what_was_sent(client: TestClient) -> None:
    queries: list[dict[str, str]] = [{}, {"charset": "echo-me"}, {"echo-me": "echo-me"}]
    sent = [{}, JSON, BOUNDARY, {"content-type": "echo-me/echo-me"}, {"content-encoding": "echo-me"}]
    for query, headers in itertools.product(queries, sent):
        response = client.post(
            "/predict",
            params=query,
            content=b'{"echo-me": "echo-me"}',
            headers=headers | {"X-Echo": "echo-me"},
        )
        assert response.status_code in {400, 415, 422}
        assert "echo-me" not in response.text
