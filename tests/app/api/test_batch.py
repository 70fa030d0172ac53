"""`POST /predict/batch`: several images in one form, with a result for each."""

import base64
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.inference import batcher

Problem = Callable[[Any, int], dict[str, Any]]
NOT_AN_IMAGE = b"Please read me."


def form(images: Iterable[bytes], field: str = "files") -> dict[str, Any]:
    return {"files": [(field, (f"{number}.png", image, "image/png")) for number, image in enumerate(images)]}


@pytest.mark.parametrize("turned_round", [False, True])
def test_the_results_come_in_the_order_sent(
    client: TestClient, samples: dict[str, bytes], shipped_model: Path, turned_round: bool
) -> None:
    labels = sorted(samples, reverse=turned_round)
    response = client.post("/predict/batch", **form(samples[label] for label in labels))
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["results", "model", "request_id"]
    assert [result["text"] for result in answer["results"]] == labels
    assert answer["model"] == {"name": "captcha", "version": shipped_model.name}
    assert answer["request_id"] == response.headers["x-request-id"]


def test_each_result_equals_that_of_predict(client: TestClient, samples: dict[str, bytes]) -> None:
    results = client.post("/predict/batch", **form(samples.values())).json()["results"]
    for image, result in zip(samples.values(), results, strict=True):
        alone = client.post("/predict", content=image).json()
        assert list(result) == ["text", "confidence", "characters"]
        assert result["text"] == alone["text"]
        assert result["confidence"] == pytest.approx(alone["confidence"], abs=1e-4)
        boxes, boxes_alone = ([character["box"] for character in reading["characters"]] for reading in (result, alone))
        assert boxes == boxes_alone


def test_a_bad_image_has_a_problem_in_its_place_and_the_others_are_read(
    client: TestClient, samples: dict[str, bytes]
) -> None:
    images = [NOT_AN_IMAGE, samples["ef2ec"], b"", samples["7ydp3"], samples["7ydp3"][:1000]]
    response = client.post("/predict/batch", **form(images))
    assert response.status_code == 200
    answer = response.json()
    assert [result.get("text") for result in answer["results"]] == [None, "ef2ec", None, "7ydp3", None]
    problems = [result["problem"] for result in answer["results"] if "problem" in result]
    assert [problem["status"] for problem in problems] == [415, 415, 422]
    for problem in problems:
        assert list(problem) == ["type", "title", "status", "detail", "instance", "request_id"]
        assert problem["instance"] == "/predict/batch"
        assert problem["request_id"] == answer["request_id"]


def test_a_bad_image_has_the_same_problem_as_in_predict(client: TestClient) -> None:
    (result,) = client.post("/predict/batch", **form([NOT_AN_IMAGE])).json()["results"]
    alone = client.post("/predict", content=NOT_AN_IMAGE).json()
    for key in ("type", "title", "status", "detail"):
        assert result["problem"][key] == alone[key]


def test_an_image_over_the_largest_upload_has_a_problem_in_its_place(
    start: Callable[..., TestClient], samples: dict[str, bytes]
) -> None:
    small, large = min(samples.values(), key=len), max(samples.values(), key=len)
    client = start(max_upload_bytes=len(large) - 1)
    response = client.post("/predict/batch", **form([large, small, large]))
    assert response.status_code == 200
    before, result, after = response.json()["results"]
    assert "text" in result
    for problem in (before["problem"], after["problem"]):
        assert problem["status"] == 413
        assert problem["detail"] == f"The upload is too large: at most {len(large) - 1:,} bytes."


def test_one_image_is_a_batch_too(client: TestClient, samples: dict[str, bytes]) -> None:
    (result,) = client.post("/predict/batch", **form([samples["ef2ec"]])).json()["results"]
    assert result["text"] == "ef2ec"


def test_the_setting_limits_the_number_of_images(
    start: Callable[..., TestClient], samples: dict[str, bytes], problem: Problem
) -> None:
    client = start(max_batch_files=3)
    answer = client.post("/predict/batch", **form([samples["ef2ec"]] * 3)).json()
    assert [result["text"] for result in answer["results"]] == ["ef2ec"] * 3
    response = client.post("/predict/batch", **form([samples["ef2ec"]] * 4))
    assert "at most 3" in problem(response, 413)["detail"]


def test_64_images_are_read_with_the_default_settings(
    client: TestClient, samples: dict[str, bytes], problem: Problem
) -> None:
    answer = client.post("/predict/batch", **form([samples["ef2ec"]] * 64)).json()
    assert [result["text"] for result in answer["results"]] == ["ef2ec"] * 64
    response = client.post("/predict/batch", **form([samples["ef2ec"]] * 65))
    assert "at most 64" in problem(response, 413)["detail"]


def test_a_request_of_too_many_pixels_is_refused(
    start: Callable[..., TestClient], samples: dict[str, bytes], problem: Problem
) -> None:
    client = start(max_pixels=200 * 50)
    assert client.post("/predict/batch", **form([samples["ef2ec"]] * 4)).status_code == 200
    response = client.post("/predict/batch", **form([samples["ef2ec"]] * 5))
    assert "the limit is 40,000" in problem(response, 413)["detail"]


def test_a_request_that_waits_too_long_is_answered_504(
    client: TestClient, samples: dict[str, bytes], problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0, 60)
    monkeypatch.setattr(batcher, "monotonic", lambda: next(clock))
    response = client.post("/predict/batch", **form([samples["ef2ec"]]))
    assert "not read in time" in problem(response, 504)["detail"]
    assert response.headers["retry-after"] in "123"


def test_a_long_response_has_the_same_results_as_short_ones(
    start: Callable[..., TestClient], samples: dict[str, bytes]
) -> None:
    client = start(max_batch_files=250)
    results = client.post("/predict/batch", **form([samples["ef2ec"]] * 250)).json()["results"]
    (short,) = client.post("/predict/batch", **form([samples["ef2ec"]])).json()["results"]
    assert all(result["text"] == short["text"] and result["characters"] for result in results)


def test_a_request_of_too_many_bytes_is_refused(
    start: Callable[..., TestClient], samples: dict[str, bytes], problem: Problem
) -> None:
    response = start(max_batch_bytes=10_000).post("/predict/batch", **form([samples["ef2ec"]] * 3))
    assert "at most 10,000 bytes" in problem(response, 413)["detail"]


BOUNDARY = {"content-type": "multipart/form-data; boundary=x"}
END = b"--x--\r\n"
FIELD = b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n%b\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc\r\n'
FORMS = {
    "no files": (END, 422, "1 to 64 images"),
    "another name": (FILE.replace(b'"files"', b'"file"') + END, 422, "'files'"),
    "a text": (FIELD.replace(b"note", b"files") % b"abc" + END, 422, "'files'"),
    "a text besides": (FILE + FIELD % b"abc" + END, 422, "Send only"),
    "a long text besides": (FILE + FIELD % bytes(2_000_000) + END, 422, "Send only"),
    "many texts besides": (FILE + FIELD % b"abc" * 100 + END, 422, "Send only"),
    "no form": (b"files=abc", 400, "boundary"),
    "half a form": (FILE, 400, "truncated"),
}


@pytest.mark.parametrize(("body", "status", "words"), FORMS.values(), ids=FORMS)
def test_a_form_with_anything_but_images_is_refused(
    client: TestClient, problem: Problem, body: bytes, status: int, words: str
) -> None:
    assert words in problem(client.post("/predict/batch", content=body, headers=BOUNDARY), status)["detail"]


def test_a_body_that_is_not_a_form_is_refused(client: TestClient, samples: dict[str, bytes], problem: Problem) -> None:
    others: list[dict[str, Any]] = [
        {"content": b""},
        {"content": samples["ef2ec"], "headers": {"content-type": "image/png"}},
        {"json": {"image": base64.b64encode(samples["ef2ec"]).decode()}},
        {"data": {"files": "abc"}},
    ]
    for other in others:
        detail = problem(client.post("/predict/batch", **other), 415)["detail"]
        assert "multipart/form-data" in detail
        assert "'files'" in detail


def test_a_model_can_be_selected(
    client: TestClient, samples: dict[str, bytes], shipped_model: Path, problem: Problem
) -> None:
    images = form([samples["ef2ec"]])
    query = {"model": "captcha", "version": shipped_model.name}
    assert client.post("/predict/batch", params=query, **images).status_code == 200
    problem(client.post("/predict/batch", params={"model": "unknown"}, **images), 404)
    problem(client.post("/predict/batch", params={"version": "unknown"}, **images), 404)
